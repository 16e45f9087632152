import Testing

/// The suites that use the shared cluster, one test after the other.
@Suite(.serialized)
enum RealServerTests {}
