// Package catalog compiles the catalogue of kinds: small YAML files that say
// what the API descriptions of the vendors cannot. Load checks them against
// the descriptions and compiles both into what reads a kind: its schema.Kind,
// the normalize.Spec that makes rows of the answers, and the calls to make.
//
// A Vendor is a cloud with its files and its descriptions. The user's own
// files add kinds or replace fields of those that exist. File is the format.
// Kinds that are found at run time, as Kubernetes' custom resources are, come
// to a loaded catalogue by With.
package catalog
