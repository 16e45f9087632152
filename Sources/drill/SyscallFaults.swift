import CFaultPage
import Foundation
import Glibc
import ProvingGround

/// Counts the file system calls of a program that is started with its `environment`, and has one of them kill the program or fail.
///
/// The library is preloaded (CSyscallFaults), the page is shared with it (CFaultPage): the program itself is the one that is shipped.
final class SyscallFaults {
    /// What happens at the call that is struck.
    enum Strike: Hashable, CustomStringConvertible {
        case nothing
        case killBefore
        case killAfter
        /// Kills when so many eighths of a write or an allocation are done.
        case killWithin(eighths: UInt64)
        case fail(Int32)
        /// So do all counted calls after it.
        case failFrom(Int32)
        /// So does one in so many of the counted calls.
        case failSome(Int32, oneIn: UInt64)

        var description: String {
            switch self {
            case .nothing: "nothing"
            case .killBefore: "killed before"
            case .killAfter: "killed after"
            case .killWithin(let eighths): "killed at \(eighths)/8"
            case .fail(let code): Self.name(of: code)
            case .failFrom(let code): "\(Self.name(of: code)) from there on"
            case .failSome(let code, let oneIn): "\(Self.name(of: code)) from one in \(oneIn)"
            }
        }

        private static func name(of code: Int32) -> String {
            code == EIO ? "EIO" : code == ENOSPC ? "ENOSPC" : "errno \(code)"
        }

        var kills: Bool {
            switch self {
            case .killBefore, .killAfter, .killWithin: true
            case .nothing, .fail, .failFrom, .failSome: false
            }
        }
    }

    /// What is counted.
    struct Kinds: OptionSet {
        var rawValue: UInt64

        static let changes = Kinds(rawValue: UInt64(FAULT_CHANGE))
        static let looks = Kinds(rawValue: UInt64(FAULT_LOOK))
        static let answers = Kinds(rawValue: UInt64(FAULT_ANSWER))
        static let inert = Kinds(rawValue: UInt64(FAULT_INERT))
        static let partial = Kinds(rawValue: UInt64(FAULT_PARTIAL))
        static let space = Kinds(rawValue: UInt64(FAULT_SPACE))
        static let syncs = Kinds(rawValue: UInt64(FAULT_SYNC))
        static let all: Kinds = [.changes, .looks, .answers, .inert]
        /// After which something is different from before.
        static let effects: Kinds = [.changes, .answers]
    }

    struct Call {
        var name: String
        var thread: String
        var path: String
        var newPath: String
        var kinds: Kinds
        /// Points of one clock; `ended` is 0 for a call that never returned.
        var begun: UInt64
        var ended: UInt64
        var result: Int64
        var error: Int32

        var succeeded: Bool { ended != 0 && result >= 0 }
    }

    private let page: UnsafeMutablePointer<fault_page>
    let environment: [String: String]
    /// Calls noted before the present arming.
    private var noted: UInt64 = 0

    /// - Parameters:
    ///   - programs: the directory that the library was built into.
    ///   - file: the page; made anew.
    init(programs: String, file: String) throws {
        let library = "\(programs)/libSyscallFaults.so"
        guard access(library, R_OK) == 0, let page = fault_page_map(file, true) else {
            throw YardFault("\(library) is not there, or \(file) can't be made")
        }
        self.page = page
        environment = ["LD_PRELOAD": URL(filePath: library).path(), FAULT_PAGE_VARIABLE: file]
    }

    deinit {
        fault_page_unmap(page)
    }

    /// Forgets everything; what lies below `root` is what counts from now on. While no program uses the page.
    func clear(root: String) {
        fault_page_clear(page, root)
        noted = 0
    }

    /// Counts from now on, and strikes at the call of the number `target`, from 1.
    func arm(_ strike: Strike, at target: Int = 0, of kinds: Kinds = [], thread: String = "") {
        let (action, argument): (Int, UInt64) =
            switch strike {
            case .nothing: (FAULT_NOTHING, 0)
            case .killBefore: (FAULT_KILL_BEFORE, 0)
            case .killAfter: (FAULT_KILL_AFTER, 0)
            case .killWithin(let eighths): (FAULT_KILL_WITHIN, eighths)
            case .fail(let code): (FAULT_FAIL, UInt64(code))
            case .failFrom(let code): (FAULT_FAIL_FROM, UInt64(code))
            case .failSome(let code, _): (FAULT_FAIL_SOME, UInt64(code))
            }
        var target = UInt64(target)
        if case .failSome(_, let oneIn) = strike { target = oneIn }
        noted = fault_page_arm(page, UInt64(action), argument, target, kinds.rawValue, thread)
    }

    /// Lets every call through from now on; they are noted as before.
    func heal() {
        fault_page_heal(page)
    }

    /// Whether the call has come.
    var hasStruck: Bool { fault_page_struck(page) != 0 }

    /// How many calls have failed since `clear`.
    var failures: Int { Int(fault_page_failed(page)) }

    /// What was noted since it was armed, in the order of beginning.
    var calls: [Call] {
        (noted..<max(noted, fault_page_noted(page))).compactMap { index in
            guard let call = fault_page_call(page, index)?.pointee, call.begun != 0 else { return nil }
            return Call(
                name: Self.text(call.name),
                thread: Self.text(call.thread),
                path: Self.text(call.path),
                newPath: Self.text(call.new_path),
                kinds: Kinds(rawValue: UInt64(call.kind)),
                begun: call.begun,
                ended: call.ended,
                result: call.result,
                error: Int32(call.error)
            )
        }
        .sorted { $0.begun < $1.begun }
    }

    /// The text in one of C's arrays of characters.
    private static func text<Characters>(_ characters: Characters) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
