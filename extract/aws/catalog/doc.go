// Package catalog holds the catalogue of AWS kinds: small YAML files that say
// what the API descriptions cannot. Load checks them against the descriptions
// and compiles both into what reads a kind: its schema.Kind, the
// normalize.Spec that makes rows of the answers, and the calls to make.
//
// The files here are embedded; the user's own add kinds or replace fields of
// those that exist. File is the format.
package catalog
