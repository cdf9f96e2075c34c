// Package catalog holds the catalogue of AWS kinds: small YAML files that say
// what the API descriptions cannot, and what makes of both the kinds, the
// calls and the projections.
package catalog
