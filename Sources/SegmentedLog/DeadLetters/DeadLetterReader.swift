package import Records

/// A letter as a listing shows it.
package struct LetterRecord: Hashable, Sendable {
    package var id: LetterID
    /// Without its rows, which are read apart: ``DeadLetterReader/rows(of:)``.
    package var letter: DeadLetter
    /// Nil while it is pending.
    package var verdict: LetterVerdict?
    package var rowBytes: Int

    var file: UInt64
    var frame: Int
    /// Where its rows begin among the frame's.
    var rowStart: Int
}

/// Reads a dead-letter directory, also beside the process that writes it: what was acknowledged before the call is seen.
package struct DeadLetterReader: Sendable {
    private let directory: LetterDirectory

    package init(directory: String, files: any FileSystem) {
        self.directory = LetterDirectory(path: directory, files: files)
    }

    /// Where the dead letters of the queue at `path` are kept.
    package static func directory(ofQueue path: String) -> String { "\(path)/dead-letters" }

    /// Visits every letter whose rows are still kept, by id. `visit` returns whether to go on.
    package func visit(_ visit: (LetterRecord) throws(DeadLetterLogFault) -> Bool) throws(DeadLetterLogFault) {
        let verdicts = try ioResult { () throws(FileFault) in try directory.verdicts() }
        let numbers = try ioResult { () throws(FileFault) in try directory.numbers() }
        var fault: DeadLetterLogFault?
        var goesOn = true
        for number in numbers where goesOn {
            _ = try ioResult { () throws(FileFault) in
                try directory.scan(number, among: numbers).read { (frame) throws(FileFault) in
                    for record in Self.records(in: frame, of: number, verdicts) where goesOn {
                        do throws(DeadLetterLogFault) {
                            goesOn = try visit(record)
                        } catch {
                            fault = error
                            goesOn = false
                        }
                    }
                    return goesOn
                }
            }
            if let fault { throw fault }
        }
    }

    private static func records(
        in frame: LetterFileScan.Frame,
        of file: UInt64,
        _ verdicts: LetterVerdicts
    ) -> [LetterRecord] {
        var rowStart = 0
        var records: [LetterRecord] = []
        for case .letter(let id, let letter, let rowBytes) in frame.entries {
            records.append(
                LetterRecord(
                    id: id,
                    letter: letter,
                    verdict: verdicts.verdict(of: id),
                    rowBytes: rowBytes,
                    file: file,
                    frame: frame.offset,
                    rowStart: rowStart
                )
            )
            rowStart += rowBytes
        }
        return records
    }

    /// The letter with this id; nil if there is none, or none any more.
    package func letter(_ id: LetterID) throws(DeadLetterLogFault) -> LetterRecord? {
        var found: LetterRecord?
        try visit { record in
            if record.id == id { found = record }
            return record.id < id
        }
        return found
    }

    /// The rows of the frame that was read last: letters of one frame are asked for one after the other.
    package struct Cache {
        fileprivate var scan: LetterFileScan?
        fileprivate var frame: LetterFileScan.Frame?
        fileprivate var rows: [UInt8] = []

        package init() {}
    }

    /// COPY binary tuples back to back.
    package func rows(of record: LetterRecord) throws(DeadLetterLogFault) -> [UInt8] {
        var cache = Cache()
        return try rows(of: record, &cache)
    }

    package func rows(of record: LetterRecord, _ cache: inout Cache) throws(DeadLetterLogFault) -> [UInt8] {
        guard record.rowBytes > 0 else { return [] }
        if cache.scan?.number != record.file || cache.frame?.offset != record.frame {
            cache = Cache()
            try load(record, into: &cache)
        }
        guard let frame = cache.frame,
            frame.entries.contains(.letter(record.id, record.letter, rowBytes: record.rowBytes))
        else { throw .moved(record.id) }
        return Array(cache.rows[record.rowStart..<(record.rowStart + record.rowBytes)])
    }

    private func load(_ record: LetterRecord, into cache: inout Cache) throws(DeadLetterLogFault) {
        let loaded = try ioResult { () throws(FileFault) -> Result<Cache, DeadLetterLogFault> in
            var loaded = Cache()
            let scan = try directory.scan(record.file, among: [])
            guard let header = scan.header, let frame = try scan.frame(at: record.frame, salt: header.salt)
            else { return .failure(.moved(record.id)) }
            guard let rows = try scan.rows(of: frame) else { return .failure(.corruptRows(record.id)) }
            loaded.scan = scan
            loaded.frame = frame
            loaded.rows = rows
            return .success(loaded)
        }
        cache = try loaded.get()
    }
}

/// Runs `body` and turns the file system's fault into the store's.
func ioResult<Value>(_ body: () throws(FileFault) -> Value) throws(DeadLetterLogFault) -> Value {
    do throws(FileFault) {
        return try body()
    } catch {
        throw .file(error)
    }
}
