import Testing

@testable import IngestServer

/// Control lines: what is one, what it says, and what is wrong with those that say it wrongly.
@Suite struct ControlLineTests {
    private static func parse(_ line: String) throws -> ControlLine {
        try Array(line.utf8).withUnsafeBytes { bytes throws(ControlFault) in try ControlLine.parse(bytes) }
    }

    @Test(
        arguments: [
            (#"{"forebay":{}}"#, .greeting(.init())),
            (
                #" { "forebay" : { "stream" : "a\u00e9\n\"b" , "ack":true, "token":"t" } } "#,
                .greeting(.init(stream: "aé\n\"b", wantsAnswers: true, token: "t"))
            ),
            (#"{"forebay":{"ack":false}}"#, .greeting(.init())),
            (#"{"forebay":{"count":12,"key":"k"}}"#, .group(key: "k", count: 12)),
        ] as [(String, ControlLine)]
    )
    func aControlLine(_ text: String, _ meaning: ControlLine) throws {
        #expect(try Self.parse(text) == meaning)
    }

    @Test(arguments: [
        #"{"forebay":1}"#, #"{"forebay":{}"#, #"{"forebay":{}}x"#, #"{"forebay":{},"a":1}"#, #"{"forebay":{"ack":1}}"#,
        #"{"forebay":{"ack":true,}}"#, #"{"forebay":{"token":"\ud800"}}"#, #"{"forebay":{"token":"\q"}}"#,
        #"{"forebay":{"token":"a"#, #"{"forebay":{"key":"k","count":01}}"#, #"{"forebay":{"key":"k","count":1.5}}"#,
        #"{"forebay":{"key":"k","count":-1}}"#, #"{"forebay":{"key":"k","count":99999999999}}"#,
        #"{"forebay":{"key":"k","count":1,"ack":true}}"#, #"{"forebay":{"key":"","count":1}}"#, "",
    ])
    func aControlLineThatIsWrong(_ text: String) {
        #expect(throws: ControlFault.self) { try Self.parse(text) }
    }

    @Test func whatIsNoControlLine() {
        for text in [#"{"id":1,"forebay":{}}"#, #"{"Forebay":{}}"#, #"["forebay"]"#, "forebay", "", "{"] {
            #expect(!Array(text.utf8).withUnsafeBytes { ControlLine.isControl($0) }, "\(text)")
        }
        #expect(Array(#"{ "forebay":"#.utf8).withUnsafeBytes { ControlLine.isControl($0) })
    }

    @Test func everyTornControlLineIsRefusedAndNoneTraps() {
        let line = Array(#"{"forebay":{"stream":"a\u00e9","ack":true,"token":"t\\"}}"#.utf8)
        for end in 0..<line.count {
            #expect(throws: ControlFault.self) {
                try Array(line[..<end]).withUnsafeBytes { bytes throws(ControlFault) in try ControlLine.parse(bytes) }
            }
        }
    }
}
