package normalize

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"
)

// Quantities of Kubernetes: a decimal number with a suffix, of which those
// with an i are powers of two, the others powers of ten, or with an exponent.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

// decimalExponents are the suffixes that stand for a power of ten.
var decimalExponents = map[string]int{
	"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}

// binaryExponents are those that stand for a power of two.
var binaryExponents = map[string]uint{"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}

var (
	nano        = big.NewInt(1_000_000_000)
	maxQuantity = new(big.Int).Mul(big.NewInt(1<<63-1), nano) // in nanos
)

// appendQuantity appends a quantity as a decimal number. Its rules are those
// of the API server: what is below a billionth is rounded up, away from zero,
// and one with a binary suffix is 2^63-1 at most. ok is false where b is no
// quantity.
func appendQuantity(dst, b []byte) (_ []byte, ok bool) {
	end := 0
	for end < len(b) && (b[end] >= '0' && b[end] <= '9' || b[end] == '.' || end == 0 && (b[end] == '+' || b[end] == '-')) {
		end++
	}
	digits, suffix := b[:end], string(b[end:])
	negative := bytes.HasPrefix(digits, []byte("-"))
	digits = bytes.TrimLeft(digits, "+-")
	whole, fraction, _ := bytes.Cut(digits, []byte{'.'})
	if len(b) == 0 || bytes.IndexByte(fraction, '.') >= 0 {
		return dst, false
	}
	if len(whole)+len(fraction) == 0 {
		whole = []byte("0") // to the API server, Gi is a quantity
	}
	exponent, binary := 0, uint(0)
	if e, ok := decimalExponents[suffix]; ok {
		exponent = e
	} else if s, ok := binaryExponents[suffix]; ok {
		binary = s
	} else if len(suffix) > 1 && (suffix[0] == 'e' || suffix[0] == 'E') {
		e, err := strconv.ParseInt(strings.TrimPrefix(suffix[1:], "+"), 10, 32)
		if err != nil || strings.HasPrefix(suffix[1:], "+-") {
			return dst, false
		}
		exponent = int(e)
	} else {
		return dst, false
	}
	if exponent > 1000 || exponent < -1000 || len(digits) > 1000 {
		return dst, false
	}
	if exponent == 0 && binary == 0 && len(fraction) == 0 && len(whole) <= 18 {
		return appendPlain(dst, negative, whole), true
	}
	n, _ := new(big.Int).SetString(string(whole)+string(fraction), 10)
	n.Lsh(n, binary)
	// In nanos, the point moved by the fraction's length.
	shift := 9 + exponent - len(fraction)
	if shift >= 0 {
		n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil))
	} else {
		rest := new(big.Int)
		n.QuoRem(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(-shift)), nil), rest)
		if rest.Sign() != 0 {
			n.Add(n, big.NewInt(1))
		}
	}
	if binary > 0 && n.Cmp(maxQuantity) > 0 {
		n.Set(maxQuantity)
	}
	rest := new(big.Int)
	n.QuoRem(n, nano, rest)
	if negative && (n.Sign() != 0 || rest.Sign() != 0) {
		dst = append(dst, '-')
	}
	dst = n.Append(dst, 10)
	if rest.Sign() != 0 {
		text := rest.String()
		text = "." + strings.Repeat("0", 9-len(text)) + text
		dst = append(dst, strings.TrimRight(text, "0")...)
	}
	return dst, true
}

// appendPlain appends a whole number without leading zeros.
func appendPlain(dst []byte, negative bool, digits []byte) []byte {
	digits = bytes.TrimLeft(digits, "0")
	if len(digits) == 0 {
		return append(dst, '0')
	}
	if negative {
		dst = append(dst, '-')
	}
	return append(dst, digits...)
}
