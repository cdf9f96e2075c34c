// Package normalize turns the documents of a cloud's answers, JSON or XML,
// into Arrow record batches. What goes in are the bytes of a page and a Plan
// compiled from a Spec; what comes out are schema.Batch values with rows,
// edges and problems. It walks the bytes of a page once, builds no object per
// resource and logs nothing.
package normalize
