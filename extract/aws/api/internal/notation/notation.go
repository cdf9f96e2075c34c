// Package notation holds the flags of the archive's notation, which package
// gen writes and package api reads. The values that flags announce follow in
// the order of the flags.
package notation

// Bits of a shape.
const (
	ShapeDoc = 1 << iota
	ShapeElemName
	ShapeKeyName
	ShapeValName
	ShapePayload
	ShapeLocationName
	ShapeXMLNamespace
	ShapeTimestampFormat
	ShapeMin
	ShapeMax
	ShapePattern
	ShapeEnum
	ShapeRequired
	ShapeFlat
	ShapeSensitive
	ShapeDocument
	ShapeUnion
	ShapeEventStream
)

// Bits of a member.
const (
	MemberDoc = 1 << iota
	MemberLocation
	MemberLocationName
	MemberQueryName
	MemberXMLNamespace
	MemberTimestampFormat
	MemberFlat
	MemberXMLAttribute
	MemberSensitive
	MemberIdempotencyTok
	MemberHostLabel
	MemberJSONValue
	MemberStreaming
)

// Bits of an operation.
const (
	OpDoc = 1 << iota
	OpHostPrefix
	OpResultWrapper
	OpVariant
	OpPager
	OpUnsigned
	OpChecksum
	OpDiscovery
	OpDeprecated
)

// Bits of an error and of a service.
const (
	ErrorRetryable = 1 << iota
	ErrorThrottles

	ServiceQueryCompatible = 1
)
