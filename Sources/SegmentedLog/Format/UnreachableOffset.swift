import Records

extension Offset {
    /// Half of what 64 bits hold: no lane lives to give that out. In a file it, and anything above, is damage; below it
    /// arithmetic can't overflow.
    static var unreachable: Offset { Offset(UInt64.max / 2) }
}
