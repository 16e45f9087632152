extension UnsafeRawPointer {
    /// The little-endian integer that begins `offset` bytes on. The caller has checked that it is there.
    @inline(__always)
    func littleEndian<Field: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as _: Field.Type = Field.self)
        -> Field
    {
        Field(littleEndian: loadUnaligned(fromByteOffset: offset, as: Field.self))
    }

    /// The big-endian integer that begins `offset` bytes on. The caller has checked that it is there.
    @inline(__always)
    func bigEndian<Field: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as _: Field.Type = Field.self) -> Field {
        Field(bigEndian: loadUnaligned(fromByteOffset: offset, as: Field.self))
    }
}

extension UnsafeMutableRawPointer {
    /// Stores `value` little-endian, `offset` bytes on. The caller has checked that there is room.
    @inline(__always)
    func store<Field: FixedWidthInteger & BitwiseCopyable>(littleEndian value: Field, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: Field.self)
    }
}
