// Package react acts on what the tables say: metrics, rules that clean up, the
// plans they make and how plans are carried out.
//
// It reads the estate by SQL alone, from whichever sink holds it, and reaches
// clouds only through the small interface of package action. It imports no
// extractor and no sink.
package react
