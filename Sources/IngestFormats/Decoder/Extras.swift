/// The fields of the open event that are no columns: their text, ready to stand in an object, and their names.
///
/// The names are kept in a table with a seeded hash, so that an event with many fields of chosen names takes linear time.
struct Extras: ~Copyable {
    private struct Name {
        var hash: Int
        var start: Int
        var count: Int
    }

    /// `"name":value` after `"name":value`, with commas between.
    private(set) var text = Scratch()
    private var nameBytes = Scratch()
    private var names: [Name] = []
    /// Indices into `names`, -1 for an empty place; the size is a power of two.
    private var places: [Int32] = Array(repeating: -1, count: 64)

    var isEmpty: Bool { names.isEmpty }

    mutating func removeAll() {
        for name in names {
            // Every name lies on the run of places from its own on, so clearing whole runs clears them all.
            var place = name.hash & (places.count - 1)
            while places[place] >= 0 {
                places[place] = -1
                place = (place + 1) & (places.count - 1)
            }
        }
        names.removeAll(keepingCapacity: true)
        text.count = 0
        nameBytes.count = 0
    }

    /// Takes note of a name; false if it is known.
    mutating func insert(_ name: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(start: name, count: count))
        let hash = hasher.finalize()
        var place = hash & (places.count - 1)
        while places[place] >= 0 {
            let known = names[Int(places[place])]
            if known.hash == hash, known.count == count, same(nameBytes.base + known.start, name, count) {
                return false
            }
            place = (place + 1) & (places.count - 1)
        }
        places[place] = Int32(truncatingIfNeeded: names.count)
        names.append(Name(hash: hash, start: nameBytes.count, count: count))
        nameBytes.append(name, count)
        if names.count * 2 > places.count {
            grow()
        }
        return true
    }

    private mutating func grow() {
        places = Array(repeating: -1, count: places.count * 2)
        for (index, name) in names.enumerated() {
            var place = name.hash & (places.count - 1)
            while places[place] >= 0 {
                place = (place + 1) & (places.count - 1)
            }
            places[place] = Int32(truncatingIfNeeded: index)
        }
    }

    /// Adds a field, its name with quotes as it stands in the body.
    mutating func append(
        name: UnsafePointer<UInt8>,
        _ nameCount: Int,
        value: UnsafePointer<UInt8>,
        _ valueCount: Int
    ) {
        if text.count > 0 { text.append(UInt8(ascii: ",")) }
        text.append(name, nameCount)
        text.append(UInt8(ascii: ":"))
        text.append(value, valueCount)
    }
}
