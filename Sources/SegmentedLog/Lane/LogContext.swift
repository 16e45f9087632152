/// What all lanes of a queue share.
package struct LogContext: Sendable {
    package var fileSystem: any FileSystem
    package var options: LogOptions
    package var budget: DiskBudget
    package var layouts: LayoutCatalogue
    package var keyRing: KeyRing
    package var entropy: Entropy

    package init(
        fileSystem: any FileSystem,
        options: LogOptions,
        budget: DiskBudget,
        layouts: LayoutCatalogue,
        keyRing: KeyRing,
        entropy: Entropy
    ) {
        self.fileSystem = fileSystem
        self.options = options
        self.budget = budget
        self.layouts = layouts
        self.keyRing = keyRing
        self.entropy = entropy
    }
}
