// Package normalize turns the documents of a cloud's answers, JSON or XML,
// into Arrow record batches. What goes in are the bytes of a page and a Plan
// compiled from a Spec; what comes out are schema.Batch values with rows,
// edges and problems. It walks the bytes of a page once, builds no object per
// resource and logs nothing.
//
// # Values
//
// Absent and null are NULL; present and empty is empty. A value that is not
// what its column holds is NULL and a problem; it never fails its page. Text
// is never cut; NUL, lone surrogates and broken UTF-8 become U+FFFD and a
// problem. Numbers and booleans may come as strings. Times: see ParseTime.
//
// JSON columns are canonical: keys are the description's member names, sorted;
// no spaces; strings with no more escapes than JSON demands; nested times in
// RFC 3339 UTC; lists that are sets sorted; members that are dropped left out.
// What the description does not know is left out and counted in Plan.Drift.
//
// # Tags
//
// Tags are a map whose keys are unique, the first one wins, and sorted. They
// are empty wherever the document that would hold them was read, or was not
// there to be read (Absent): vendors leave an empty list out. They are NULL
// where the detail call that would tell is Unread and where the Spec has no
// Tags.
//
// # Pages
//
// A body that is not its call's output is a *PageError and makes no rows: one
// that is cut off, has something behind it, has another root or none of the
// output's members, or is an error document. Documents may nest 512 deep.
package normalize
