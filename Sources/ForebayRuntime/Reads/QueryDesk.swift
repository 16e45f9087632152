import Instruments
import OpsServer
import PostgresWire
import ReadProxy

/// Queries over HTTP as clients of the read port.
struct QueryDesk: QueryBackend {
    private let port: ReadProxy
    private let users: LiveUsers
    private let tokens: LiveTokens?
    let limits: QueryLimits
    /// Of nobody, so that a name that does not exist takes as long as one that does.
    private let mock = ScramVerifier(mockFor: "", secret: [])

    /// - Parameter tokens: nil if no token may ask.
    init(port: ReadProxy, users: LiveUsers, tokens: LiveTokens?, _ settings: ForebayConfiguration.Read) {
        self.port = port
        self.users = users
        self.tokens = tokens
        limits = QueryLimits(rows: settings.queryMaxRows, time: settings.queryTimeout)
    }

    func identity(of credentials: QueryCredentials) -> String? {
        switch credentials {
        case .token(let token): return tokens?.entry(ofToken: token)?.name
        case .password(let user, let password):
            let verifier = users.current[user]
            guard (verifier ?? mock).isProved(by: password), verifier != nil else {
                port.instruments.loginsFailed.add()
                return nil
            }
            return user
        }
    }

    func run(_ order: QueryOrder) async throws(QueryFault) -> QueryResult {
        do throws(Report) {
            let query = try await port.query(
                ReadOrder(
                    order.sql,
                    parameters: order.parameters,
                    user: order.identity,
                    settings: Self.settings,
                    after: order.after,
                    rows: order.limits.rows,
                    time: order.limits.time
                )
            )
            do throws(Report) {
                let columns = try await query.columns()
                return QueryResult(
                    columns: columns.map { QueryResult.Column(name: $0.name, type: $0.type) },
                    next: { () async throws(QueryFault) in
                        do throws(Report) {
                            let rows = try await query.rows()
                            return QueryResult.Batch(rows: rows.rows, isCut: rows.end?.isCut)
                        } catch {
                            throw QueryFault(error)
                        }
                    },
                    close: { query.close() }
                )
            } catch {
                query.close()
                throw error
            }
        } catch {
            throw QueryFault(error)
        }
    }

    /// The texts of times and dates are always the same.
    private static let settings: [StartupMessage.Parameter] = [
        .init("application_name", "forebay/http"), .init("TimeZone", "UTC"), .init("DateStyle", "ISO, YMD"),
        .init("IntervalStyle", "postgres"), .init("bytea_output", "hex"),
    ]
}

extension QueryFault {
    fileprivate init(_ report: Report) {
        func field(_ letter: Unicode.Scalar) -> String? {
            report.fields.first { $0.code == UInt8(ascii: letter) }?.text
        }
        self.init(
            report.code,
            report.message,
            detail: field("D"),
            hint: report.hint,
            position: field("P").flatMap { Int($0) }
        )
    }
}
