package api

// The flags of the archive's notation. The values that flags announce follow
// in the order of the flags.

// Bits of a shape.
const (
	bitShapeDoc = 1 << iota
	bitShapeElemName
	bitShapeKeyName
	bitShapeValName
	bitShapePayload
	bitShapeLocationName
	bitShapeXMLNamespace
	bitShapeTimestampFormat
	bitShapeMin
	bitShapeMax
	bitShapePattern
	bitShapeEnum
	bitShapeRequired
	bitShapeFlat
	bitShapeSensitive
	bitShapeDocument
	bitShapeUnion
	bitShapeEventStream
)

// Bits of a member.
const (
	bitMemberDoc = 1 << iota
	bitMemberLocation
	bitMemberLocationName
	bitMemberQueryName
	bitMemberXMLNamespace
	bitMemberTimestampFormat
	bitMemberFlat
	bitMemberXMLAttribute
	bitMemberSensitive
	bitMemberIdempotencyTok
	bitMemberHostLabel
	bitMemberJSONValue
	bitMemberStreaming
)

// Bits of an operation.
const (
	bitOpDoc = 1 << iota
	bitOpHostPrefix
	bitOpResultWrapper
	bitOpVariant
	bitOpPager
	bitOpUnsigned
	bitOpChecksum
	bitOpDiscovery
	bitOpDeprecated
)

// Bits of an error and of a service.
const (
	bitErrorRetryable = 1 << iota
	bitErrorThrottles

	bitServiceQueryCompatible = 1
	bitServiceRoot            = 2 // it has a RootURL
)
