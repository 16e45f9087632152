/// Writes single fields of a COPY binary tuple to raw memory: a big-endian Int32 length, then the type's binary form.
///
/// Every function takes the address of the field's first byte, needs room for the whole field there, and returns the
/// address behind it. Who decodes in bulk calls these with an address of its own; everybody else appends to a ``RowBatch``.
///
/// Format: PostgreSQL manual, "COPY", section "Binary Format"; the form of a type is that of its `send` function.
package enum FieldWriter {
    /// The most bytes that a field of any type without a length of its own takes, its length word included.
    package static let fixedFieldLimit = 24

    // Plain overloads rather than one generic function: the callers stand in other modules, where a generic one that is not
    // specialized costs a call through a witness table per value.

    @inlinable
    @inline(__always)
    package static func store(_ value: UInt8, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        out.storeBytes(of: value, as: UInt8.self)
        return out + 1
    }

    @inlinable
    @inline(__always)
    package static func store(_ value: UInt16, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        out.storeBytes(of: value.bigEndian, as: UInt16.self)
        return out + 2
    }

    @inlinable
    @inline(__always)
    package static func store(_ value: UInt32, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        out.storeBytes(of: value.bigEndian, as: UInt32.self)
        return out + 4
    }

    @inlinable
    @inline(__always)
    package static func store(_ value: UInt64, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        out.storeBytes(of: value.bigEndian, as: UInt64.self)
        return out + 8
    }

    /// The field count that every tuple begins with.
    @inlinable
    @inline(__always)
    package static func fieldCount(_ count: Int, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        store(UInt16(truncatingIfNeeded: count), at: out)
    }

    @inlinable
    @inline(__always)
    package static func null(at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        store(UInt32.max, at: out)
    }

    @inlinable
    @inline(__always)
    package static func length(_ count: Int, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        store(UInt32(truncatingIfNeeded: count), at: out)
    }

    @inlinable
    @inline(__always)
    package static func bool(_ value: Bool, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        store(UInt8(value ? 1 : 0), at: length(1, at: out))
    }

    @inlinable
    @inline(__always)
    package static func int2(_ value: Int16, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        store(UInt16(bitPattern: value), at: length(2, at: out))
    }

    /// `int4`, and `date` as days from 2000-01-01.
    @inlinable
    @inline(__always)
    package static func int4(_ value: Int32, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        store(UInt32(bitPattern: value), at: length(4, at: out))
    }

    /// `int8`, and `timestamp` and `timestamptz` as microseconds from 2000-01-01.
    @inlinable
    @inline(__always)
    package static func int8(_ value: Int64, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        store(UInt64(bitPattern: value), at: length(8, at: out))
    }

    @inlinable
    @inline(__always)
    package static func float4(_ value: Float, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        store(value.bitPattern, at: length(4, at: out))
    }

    @inlinable
    @inline(__always)
    package static func float8(_ value: Double, at out: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        store(value.bitPattern, at: length(8, at: out))
    }

    /// `text`, `varchar`, `json` and `bytea`: the bytes as they are.
    @inlinable
    @inline(__always)
    package static func bytes(
        _ bytes: UnsafeRawBufferPointer,
        at out: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        let body = length(bytes.count, at: out)
        if let source = bytes.baseAddress {
            body.copyMemory(from: source, byteCount: bytes.count)
        }
        return body + bytes.count
    }

    /// `jsonb`: version byte 1, then JSON text.
    @inlinable
    @inline(__always)
    package static func jsonb(
        _ text: UnsafeRawBufferPointer,
        at out: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        let body = store(UInt8(1), at: length(text.count + 1, at: out))
        if let source = text.baseAddress {
            body.copyMemory(from: source, byteCount: text.count)
        }
        return body + text.count
    }

    /// `uuid`: 16 bytes in the order of the text form.
    @inlinable
    @inline(__always)
    package static func uuid(
        high: UInt64,
        low: UInt64,
        at out: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        store(low, at: store(high, at: length(16, at: out)))
    }

    /// `inet` and `cidr`: family (2 or 3), bits, whether it is a cidr, the number of address bytes, the address bytes.
    @inlinable
    @inline(__always)
    package static func network(
        _ address: NetworkAddress,
        isCIDR: Bool,
        at out: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        let size = address.isIPv6 ? 16 : 4
        var next = length(4 + size, at: out)
        next = store(UInt8(address.isIPv6 ? 3 : 2), at: next)
        next = store(address.bits, at: next)
        next = store(UInt8(isCIDR ? 1 : 0), at: next)
        next = store(UInt8(size), at: next)
        if address.isIPv6 {
            return store(address.low, at: store(address.high, at: next))
        }
        return store(UInt32(truncatingIfNeeded: address.low), at: next)
    }

    /// The header of a one-dimensional array field; its length word is written by ``endArray(_:elements:hasNull:at:)``.
    ///
    /// Form of `array_send`: dimensions, whether there are NULLs, the elements' type; per dimension its size and lower
    /// bound; per element a length (-1 for NULL) and its bytes. An array without elements has no dimension.
    package static let arrayHeader = 4 + 12 + 8

    /// Completes the array whose field begins at `start` and whose last element ends at `end`; returns the field's end.
    package static func endArray(
        _ elementType: UInt32,
        elements: Int,
        hasNull: Bool,
        start: UnsafeMutableRawPointer,
        end: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        let empty = elements == 0
        let fieldEnd = empty ? start + 16 : end
        var next = length(fieldEnd - start - 4, at: start)
        next = store(UInt32(empty ? 0 : 1), at: next)
        next = store(UInt32(hasNull ? 1 : 0), at: next)
        next = store(elementType, at: next)
        if !empty {
            next = store(UInt32(truncatingIfNeeded: elements), at: next)
            _ = store(UInt32(1), at: next)
        }
        return fieldEnd
    }
}

/// Object identifiers of the types that array elements have (PostgreSQL's `pg_type.dat`).
package enum ElementType {
    package static let int8: UInt32 = 20
    package static let text: UInt32 = 25
    package static let float8: UInt32 = 701
}
