// Method: the example of RFC 7677, section 3, byte for byte on both sides; a verifier that PostgreSQL made; then both sides against each other, with each
// message of the exchange garbled, cut or exchanged in turn: no login may come of it.

import Testing

@testable import PostgresWire

@Suite
struct ScramTests {
    private static let challenge =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    private static let proof =
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    private static let signature = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

    @Test
    func theClientOfRFC7677() throws {
        var client = ScramClient(user: "user", password: "pencil", nonceText: "rOprNGfwEbeRWgbNEkqO")
        #expect(client.initialResponse.suffix(32).elementsEqual("n,,n=user,r=rOprNGfwEbeRWgbNEkqO".utf8))
        #expect(try client.prove(Array(Self.challenge.utf8)) == Array(Self.proof.utf8))
        #expect(throws: Never.self) { try client.verify(Array(Self.signature.utf8)) }
    }

    @Test
    func theServerOfRFC7677() throws {
        let salt = try #require(Base64.decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
        let verifier = ScramVerifier(password: "pencil", salt: salt)
        var server = ScramServer(verifier: verifier, nonceText: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
        let first = ScramClient(user: "user", password: "", nonceText: "rOprNGfwEbeRWgbNEkqO").initialResponse
        #expect(try server.begin(first) == Array(Self.challenge.utf8))
        #expect(try server.finish(Array(Self.proof.utf8)) == Array(Self.signature.utf8))
    }

    @Test
    func aVerifierInPostgreSQLsForm() throws {
        let verifier = ScramVerifier(password: "pencil", salt: Array("0123456789abcdef".utf8))
        let text = verifier.description
        #expect(text.hasPrefix("SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$"))
        #expect(ScramVerifier(text) == verifier)
        for end in text.indices { #expect(ScramVerifier(text[..<end]) == nil) }
        for wrong in [
            "md5" + text, text.replacing("4096", with: "0"), text.replacing("4096", with: "-1"), text + "=", text + "$",
        ] {
            #expect(ScramVerifier(wrong) == nil)
        }
    }

    private static let verifier = ScramVerifier(password: "secret", salt: Array("salt".utf8), iterations: 64)

    private func server() -> ScramServer {
        ScramServer(verifier: Self.verifier, nonce: Array("serverserverserver".utf8))
    }

    private func client(_ password: String = "secret") -> ScramClient {
        ScramClient(password: password, nonce: Array("clientclientclient".utf8))
    }

    @Test
    func bothSidesMeet() throws {
        var (server, client) = (server(), client())
        let challenge = try server.begin(client.initialResponse)
        let final = try server.finish(try client.prove(challenge))
        let keys = try #require(try client.verify(final))
        // With the keys of the first login, the second gives the same proof.
        var (second, again) = (self.server(), ScramClient(password: "secret", nonce: [1, 2, 3], keys: keys))
        #expect(throws: Never.self) { try second.finish(try again.prove(try second.begin(again.initialResponse))) }
        #expect(throws: ScramFault.outOfTurn) { try client.verify(final) }
        #expect(throws: ScramFault.outOfTurn) { try server.begin(client.initialResponse) }
    }

    @Test(arguments: ["", "Secret", "secret ", "secre"])
    func aWrongPasswordIsRefused(password: String) throws {
        var (server, client) = (server(), client(password))
        let proof = try client.prove(try server.begin(client.initialResponse))
        #expect(throws: ScramFault.wrongProof) { try server.finish(proof) }
    }

    @Test
    func keysOfAnotherPasswordAreNotUsed() throws {
        var (server, client) = (server(), client())
        let final = try server.finish(try client.prove(try server.begin(client.initialResponse)))
        let keys = try client.verify(final)
        var (second, wrong) = (self.server(), ScramClient(password: "other", nonce: [1], keys: keys))
        let proof = try wrong.prove(try second.begin(wrong.initialResponse))
        #expect(throws: ScramFault.wrongProof) { try second.finish(proof) }
    }

    @Test
    func aServerThatDoesNotKnowThePasswordIsNoticed() throws {
        var (server, client) = (server(), client())
        var final = try server.finish(try client.prove(try server.begin(client.initialResponse)))
        final[5] ^= 1
        #expect(throws: ScramFault.self) { try client.verify(final) }
    }

    @Test
    func someoneUnknownFailsAtTheEndAndAlwaysAlike() throws {
        let secret = Array("of this process".utf8)
        let first = ScramVerifier(mockFor: "nobody", secret: secret)
        #expect(first == ScramVerifier(mockFor: "nobody", secret: secret))
        #expect(first.salt != ScramVerifier(mockFor: "somebody", secret: secret).salt)
        var server = ScramServer(verifier: first, nonce: Array("serverserverserver".utf8))
        var client = client()
        let proof = try client.prove(try server.begin(client.initialResponse))
        #expect(throws: ScramFault.wrongProof) { try server.finish(proof) }
    }

    private func response(_ message: String, mechanism: String = "SCRAM-SHA-256") -> [UInt8] {
        var writer = WireWriter()
        writer.text(mechanism)
        writer.value(Array(message.utf8))
        return writer.bytes
    }

    @Test(arguments: [
        "", "n", "n,", "n,,", "x,,n=,r=abc", "n,a=me,n=,r=abc", "n,,r=abc", "n,,n=", "n,,n=,r=", "n,,n=,r=a b",
        "n,,m=1,n=,r=abc", "n,,n=,r=abc,x=y", "n,,n=,r=\u{e9}", "n,,n=,r=\(String(repeating: "r", count: 5000))",
    ])
    func aMalformedFirstMessageIsRefused(message: String) {
        var server = server()
        #expect(throws: ScramFault.self) { try server.begin(response(message)) }
    }

    @Test
    func bindingAndOtherMechanismsAreRefusedByName() {
        var (bound, other, short) = (server(), server(), server())
        #expect(throws: ScramFault.channelBinding) { try bound.begin(response("p=tls-server-end-point,,n=,r=abc")) }
        #expect(throws: ScramFault.unknownMechanism("PLAIN")) { try other.begin(response("", mechanism: "PLAIN")) }
        #expect(throws: ScramFault.self) { try short.begin([83, 0, 0, 0, 0, 9]) }
    }

    /// The proof message with each of its bytes changed in turn, cut at each byte, and longer.
    @Test
    func noGarbledProofIsTaken() throws {
        let first = client().initialResponse
        var (server, client) = (server(), client())
        let proof = try client.prove(try server.begin(first))
        for place in proof.indices {
            for bit in [1, 0x20, 0x80] as [UInt8] {
                var (again, garbled) = (self.server(), proof)
                _ = try again.begin(first)
                garbled[place] ^= bit
                #expect(throws: ScramFault.self) { try again.finish(garbled) }
            }
            var again = self.server()
            _ = try again.begin(first)
            #expect(throws: ScramFault.self) { try again.finish(Array(proof[..<place])) }
        }
        var again = self.server()
        _ = try again.begin(first)
        #expect(throws: ScramFault.self) { try again.finish(proof + [0x3D]) }
    }

    @Test(arguments: [
        "", "r=", "r=other,s=c2FsdA==,i=64", "r=Y2xpZW50Y2xpZW50Y2xpZW50,s=c2FsdA==,i=64",
        "r=Y2xpZW50Y2xpZW50Y2xpZW50x,s=,i=64", "r=Y2xpZW50Y2xpZW50Y2xpZW50x,s=c2FsdA==,i=0",
        "r=Y2xpZW50Y2xpZW50Y2xpZW50x,s=c2FsdA==,i=99999999", "r=Y2xpZW50Y2xpZW50Y2xpZW50x,s=c2FsdA==",
        "r=Y2xpZW50Y2xpZW50Y2xpZW50x,s=c2Fs,i=x",
    ])
    func aMalformedChallengeIsRefused(challenge: String) {
        var client = client()
        #expect(throws: ScramFault.self) { try client.prove(Array(challenge.utf8)) }
    }

    @Test
    func aServersRefusalIsTold() throws {
        var (server, client) = (server(), client())
        _ = try client.prove(try server.begin(client.initialResponse))
        #expect(throws: ScramFault.refused("invalid-proof")) { try client.verify(Array("e=invalid-proof".utf8)) }
    }

    @Test(arguments: [[], [0], [0, 1], [0, 1, 2], [255, 254, 253, 252]] as [[UInt8]])
    func base64(bytes: [UInt8]) {
        #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }

    @Test(arguments: ["A", "AA", "AA=", "AAA", "A===", "====", "AB==", "AA=A", "A A=", "AAA\u{e9}"])
    func notBase64(text: String) {
        #expect(Base64.decode(text) == nil)
    }
}
