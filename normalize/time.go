package normalize

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86_400 * microsPerSecond
	// minMicros and maxMicros bound the years 1 to 9999.
	minMicros = -62_135_596_800 * microsPerSecond
	maxMicros = 253_402_300_800*microsPerSecond - 1
)

// timeState says what a text is as a time.
type timeState uint8

const (
	timeOK timeState = iota
	timeNull
	timeBad
)

// ParseTime reads a time in a format and returns the microseconds since 1970
// UTC, fractions truncated. ok is false with a nil error where the text says
// that there is no time: an empty text, "N/A", "no_information",
// "not_supported" and the zero time of year 1. A time without a zone is UTC.
// The format gives the unit of a number; a text that is no number is tried as
// ISO 8601 and as RFC 1123 whatever the format, a number is never taken for
// the other family.
func ParseTime(text string, f TimeFormat) (micros int64, ok bool, err error) {
	v, st := parseTime([]byte(text), f, false)
	switch st {
	case timeOK:
		return v, true, nil
	case timeNull:
		return 0, false, nil
	}
	return 0, false, fmt.Errorf("not a time: %q", clip(text))
}

// FormatTime writes microseconds since 1970 as RFC 3339 in UTC, with as many
// digits of a second as it takes.
func FormatTime(micros int64) string { return string(appendTime(nil, micros)) }

// parseTime is ParseTime over bytes. number says that the text is a number by
// its type, not by its looks.
func parseTime(b []byte, f TimeFormat, number bool) (int64, timeState) {
	b = trimSpace(b)
	if noTime(b) {
		return 0, timeNull
	}
	var v int64
	var ok bool
	switch f {
	case EpochSeconds, EpochMillis, EpochMicros, EpochNanos:
		if v, ok = parseEpoch(b, f); !ok && !number {
			if v, ok = parseISO(b); !ok {
				v, ok = parseHTTP(b)
			}
		}
	default:
		switch {
		case number:
			v, ok = parseEpoch(b, EpochSeconds)
		case f == TimeHTTP:
			if v, ok = parseHTTP(b); !ok {
				v, ok = parseISO(b)
			}
		default:
			if v, ok = parseISO(b); !ok {
				v, ok = parseHTTP(b)
			}
		}
	}
	switch {
	case !ok || v < minMicros || v > maxMicros:
		return 0, timeBad
	case v == minMicros:
		return 0, timeNull
	}
	return v, timeOK
}

// noTime reports whether the text is a vendor's way to say that there is none.
func noTime(b []byte) bool {
	switch len(b) {
	case 0:
		return true
	case 3:
		return strings.EqualFold(string(b), "N/A")
	case 13:
		return string(b) == "not_supported"
	case 14:
		return string(b) == "no_information"
	}
	return false
}

// parseISO reads ISO 8601: a date, or a date and a time with T or a space
// between, with or without seconds, fraction and zone; extended or basic.
func parseISO(b []byte) (int64, bool) {
	var year, month, day int
	var ok bool
	extended := len(b) >= 10 && b[4] == '-'
	switch {
	case extended && b[7] == '-':
		y, ok1 := digits(b[0:4])
		m, ok2 := digits(b[5:7])
		d, ok3 := digits(b[8:10])
		year, month, day, ok = y, m, d, ok1 && ok2 && ok3
		b = b[10:]
	case len(b) >= 9 && (b[8] == 'T' || b[8] == 't'):
		y, ok1 := digits(b[0:4])
		m, ok2 := digits(b[4:6])
		d, ok3 := digits(b[6:8])
		year, month, day, ok = y, m, d, ok1 && ok2 && ok3
		b = b[8:]
	}
	if !ok || year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	v := daysFromCivil(year, month, day) * microsPerDay
	if len(b) == 0 {
		return v, true
	}
	if b[0] != 'T' && b[0] != 't' && b[0] != ' ' {
		return 0, false
	}
	clock, b, ok := parseClock(b[1:], extended)
	if !ok {
		return 0, false
	}
	zone, ok := parseZone(b)
	return v + clock - zone, ok
}

// parseClock reads hh:mm[:ss[.fraction]] and returns the rest.
func parseClock(b []byte, extended bool) (int64, []byte, bool) {
	hour, b, ok := twoDigits(b)
	if !ok || hour > 23 {
		return 0, nil, false
	}
	if extended {
		if len(b) == 0 || b[0] != ':' {
			return 0, nil, false
		}
		b = b[1:]
	}
	minute, b, ok := twoDigits(b)
	if !ok || minute > 59 {
		return 0, nil, false
	}
	v := int64(hour*3600+minute*60) * microsPerSecond
	if extended && (len(b) == 0 || b[0] != ':') || !extended && (len(b) == 0 || b[0] < '0' || b[0] > '9') {
		return v, b, true
	}
	if extended {
		b = b[1:]
	}
	second, b, ok := twoDigits(b)
	if !ok || second > 60 { // 60 is a leap second, the next minute's first
		return 0, nil, false
	}
	v += int64(second) * microsPerSecond
	if len(b) == 0 || b[0] != '.' && b[0] != ',' {
		return v, b, true
	}
	b = b[1:]
	unit, n := int64(microsPerSecond/10), 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		v += int64(b[n]-'0') * unit
		unit /= 10
		n++
	}
	return v, b[n:], n > 0
}

// parseZone reads a zone and returns its offset from UTC in microseconds.
func parseZone(b []byte) (int64, bool) {
	if len(b) > 1 && b[0] == ' ' {
		b = b[1:]
	}
	switch {
	case len(b) == 0, len(b) == 1 && (b[0] == 'Z' || b[0] == 'z'), string(b) == "GMT", string(b) == "UTC":
		return 0, true
	case b[0] != '+' && b[0] != '-':
		return 0, false
	}
	negative := b[0] == '-'
	hour, b, ok := twoDigits(b[1:])
	if !ok || hour > 23 {
		return 0, false
	}
	minute := 0
	if len(b) > 0 {
		if b[0] == ':' {
			b = b[1:]
		}
		if minute, b, ok = twoDigits(b); !ok || minute > 59 || len(b) > 0 {
			return 0, false
		}
	}
	v := int64(hour*3600+minute*60) * microsPerSecond
	if negative {
		v = -v
	}
	return v, true
}

const monthNames = "JanFebMarAprMayJunJulAugSepOctNovDec"

// parseHTTP reads RFC 1123 (Mon, 02 Jan 2006 15:04:05 GMT), the weekday
// optional and unchecked, the zone a name of UTC or an offset.
func parseHTTP(b []byte) (int64, bool) {
	if i := bytes.IndexByte(b, ','); i >= 0 {
		b = trimSpace(b[i+1:])
	}
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	if n < 1 || n > 2 || len(b) < n+9 || b[n] != ' ' && b[n] != '-' || b[n+4] != b[n] {
		return 0, false
	}
	day, _ := digits(b[:n])
	month := strings.Index(monthNames, string(b[n+1:n+4]))
	year, ok := digits(b[n+5 : n+9])
	if !ok || month < 0 || month%3 != 0 || year < 1 || day < 1 || day > daysIn(year, month/3+1) {
		return 0, false
	}
	b = b[n+9:]
	if len(b) == 0 || b[0] != ' ' {
		return 0, false
	}
	clock, b, ok := parseClock(b[1:], true)
	if !ok {
		return 0, false
	}
	zone, ok := parseZone(b)
	return daysFromCivil(year, month/3+1, day)*microsPerDay + clock - zone, ok
}

// parseEpoch reads a decimal number of the format's unit, exactly.
func parseEpoch(b []byte, f TimeFormat) (int64, bool) {
	exp := unitPower(f)
	i, negative := 0, false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		negative = b[i] == '-'
		i++
	}
	var mant int64
	seen, point := 0, false
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		seen++
		switch {
		case mant < 1e17:
			mant = mant*10 + int64(c-'0')
			if point {
				exp--
			}
		case !point: // beyond any time, or digits too fine to matter
			exp++
		}
	}
	if seen == 0 {
		return 0, false
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		sign := 1
		if i < len(b) && (b[i] == '-' || b[i] == '+') {
			if b[i] == '-' {
				sign = -1
			}
			i++
		}
		e, n := 0, 0
		for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
			if e < 1000 {
				e = e*10 + int(b[i]-'0')
			}
			n++
		}
		if n == 0 {
			return 0, false
		}
		exp += sign * e
	}
	if i != len(b) {
		return 0, false
	}
	for ; exp > 0 && mant != 0; exp-- {
		if mant > maxMicros {
			return 0, false
		}
		mant *= 10
	}
	for ; exp < 0 && mant != 0; exp++ {
		mant /= 10
	}
	if negative {
		mant = -mant
	}
	return mant, true
}

// unitPower is the power of ten between the format's unit and a microsecond.
func unitPower(f TimeFormat) int {
	switch f {
	case EpochSeconds:
		return 6
	case EpochMillis:
		return 3
	case EpochNanos:
		return -3
	}
	return 0
}

// appendTime appends microseconds since 1970 as RFC 3339 in UTC.
func appendTime(dst []byte, v int64) []byte {
	days := v / microsPerDay
	rest := v % microsPerDay
	if rest < 0 {
		days--
		rest += microsPerDay
	}
	y, m, d := civilFromDays(days)
	dst = append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-')
	dst = append(append2(dst, m), '-')
	dst = append(append2(dst, d), 'T')
	frac := rest % microsPerSecond
	sec := int(rest / microsPerSecond)
	dst = append(append2(dst, sec/3600), ':')
	dst = append(append2(dst, sec/60%60), ':')
	dst = append2(dst, sec%60)
	if frac != 0 {
		dst = append(dst, '.')
		for unit := int64(microsPerSecond / 10); frac != 0; unit /= 10 {
			dst = append(dst, byte('0'+frac/unit))
			frac %= unit
		}
	}
	return append(dst, 'Z')
}

func append2(dst []byte, v int) []byte { return append(dst, byte('0'+v/10), byte('0'+v%10)) }

func digits(b []byte) (int, bool) {
	v := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

func twoDigits(b []byte) (int, []byte, bool) {
	if len(b) < 2 {
		return 0, nil, false
	}
	v, ok := digits(b[:2])
	return v, b[2:], ok
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysFromCivil counts the days from 1970-01-01 in the proleptic Gregorian
// calendar (https://howardhinnant.github.io/date_algorithms.html).
func daysFromCivil(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

// civilFromDays is the inverse of daysFromCivil for years from 0 on.
func civilFromDays(days int64) (y, m, d int) {
	z := int(days) + 719468
	era := z / 146097
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	y = yoe + era*400
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}
