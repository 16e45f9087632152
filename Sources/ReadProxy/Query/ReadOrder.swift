package import PostgresWire

/// One statement, asked for by somebody who has no connection to the read port.
package struct ReadOrder: Sendable {
    package var text: String
    /// Texts, or NULL.
    package var parameters: [String?]
    /// Counts as the client's user: the caller has made sure of it.
    package var user: String
    package var settings: [StartupMessage.Parameter]
    /// Receipts, separated by commas.
    package var after: String?
    /// No more are given.
    package var rows: Int
    /// To the last row.
    package var time: Duration

    package init(
        _ text: String,
        parameters: [String?] = [],
        user: String,
        settings: [StartupMessage.Parameter] = [],
        after: String? = nil,
        rows: Int,
        time: Duration
    ) {
        self.text = text
        self.parameters = parameters
        self.user = user
        self.settings = settings
        self.after = after
        self.rows = rows
        self.time = time
    }

    /// What is sent at once, behind the startup: the server's answers come in their order.
    var messages: [FrontendMessage] {
        [
            .parse(.init(query: Array(text.utf8))),
            .bind(.init(values: parameters.map { $0.map { Array($0.utf8) } })),
            .describe(.portal, name: ""),
            // One more than is given, so that it is known whether there are more.
            .execute(portal: "", rows: Int32(clamping: rows + 1)),
            .sync,
        ]
    }
}

/// Some rows of an answer, in their order.
package struct ReadRows: Sendable {
    package var rows: [[[UInt8]?]]
    /// Set with the last ones.
    package var end: End?

    package struct End: Hashable, Sendable {
        /// There were more rows than were asked for.
        package var isCut: Bool
    }
}
