/// Why decoding of an event stopped, and where; the report's words are made of it afterwards.
///
/// Two plain words, so that throwing one costs a register and catching none of the hot path.
struct Refusal: Error, @unchecked Sendable {
    // Sendable because the address is only ever compared and read by the decoder that threw it.

    /// `malformed` kinds first: they are about the text's structure, the others about a value in its place.
    enum Kind: UInt8 {
        case value
        case key
        case colon
        case commaOrBrace
        case commaOrBracket
        case literal
        case number
        case escape
        case controlCharacter
        case stringEnd
        case trailing
        case tooDeep

        case notAnObject
        case invalidUTF8
        case loneSurrogate
        case nul
        case wrongType
        case form
        case range
        case fraction
        case hostBits
        case tooLong
        case null
        case missing
        case untrackedDefault
        case constant
        case unknownField
        case duplicateField
        case extraNotAnObject
        case tooManyLayouts
        case eventTooLarge
        case tooManyEvents
    }

    var kind: Kind
    var at: UnsafePointer<UInt8>

    init(_ kind: Kind, at: UnsafePointer<UInt8>) {
        self.kind = kind
        self.at = at
    }

    /// The text's structure is broken, so that the event's end is not known.
    var breaksStructure: Bool { kind.rawValue <= Kind.tooDeep.rawValue }
}
