package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// maxName is the longest identifier that every database takes, in bytes.
const maxName = 63

// words are spelled with capitals inside, which a rule cannot tell.
var words = strings.NewReplacer(
	"IPv4", "Ipv4", "IPv6", "Ipv6", "ETag", "Etag", "VCpu", "Vcpu", "vCpu", "Vcpu", "VCPU", "Vcpu",
	"OAuth", "Oauth", "IoT", "Iot", "DDoS", "Ddos", "SaaS", "Saas", "iSCSI", "Iscsi",
	"KiB", "Kib", "MiB", "Mib", "GiB", "Gib", "TiB", "Tib",
	"KBps", "Kbps", "MBps", "Mbps", "GBps", "Gbps", "MiBps", "Mibps",
	"DynamoDB", "Dynamodb", "GraphQL", "Graphql", "MySQL", "Mysql", "PostgreSQL", "Postgresql",
)

// ColumnName makes the column name of a member name: snake case in which runs
// of capitals are words (DBInstanceArn is db_instance_arn, KMSKeyId is
// kms_key_id, VpcIds is vpc_ids), at most 63 bytes long.
func ColumnName(member string) string { return shorten(snake(member)) }

func snake(s string) string {
	r := []rune(words.Replace(s))
	var b strings.Builder
	last := '_'
	put := func(c rune) {
		if c == '_' && last == '_' {
			return
		}
		b.WriteRune(c)
		last = c
	}
	for i, c := range r {
		switch {
		case unicode.IsUpper(c):
			if i > 0 && wordBegins(r, i) {
				put('_')
			}
			put(unicode.ToLower(c))
		case unicode.IsLower(c) || unicode.IsDigit(c):
			put(c)
		default:
			put('_')
		}
	}
	name := strings.Trim(b.String(), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "n" + name
	}
	return name
}

// wordBegins says whether the capital at i begins a word.
func wordBegins(r []rune, i int) bool {
	prev := r[i-1]
	if !unicode.IsUpper(prev) {
		return true
	}
	if i+1 >= len(r) || !unicode.IsLower(r[i+1]) {
		return false
	}
	// A lone s behind a run of capitals is its plural: IDs, ARNsInUse.
	if r[i+1] == 's' && (i+2 >= len(r) || unicode.IsUpper(r[i+2])) {
		return false
	}
	return true
}

// shorten cuts a name to maxName bytes; a hash of all of it keeps it unique.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	h := hex.EncodeToString(sum[:4])
	return strings.TrimRight(name[:maxName-len(h)-1], "_") + "_" + h
}

// near returns what a misspelled name was probably meant to be, or "".
func near(name string, known []string) string {
	best, dist := "", max(2, len(name)/3)+1
	low := strings.ToLower(name)
	for _, k := range known {
		kl := strings.ToLower(k)
		d := api.Distance(low, kl)
		switch {
		case min(len(low), len(kl)) <= 3 || d <= 1:
		case verbless(name) == verbless(k):
			d = 1
		case strings.Contains(kl, low) || strings.Contains(low, kl):
			d = min(d, 2)
		}
		if d < dist || d == dist && best != "" && (len(k) < len(best) || len(k) == len(best) && k < best) {
			best, dist = k, d
		}
	}
	return best
}

// verbless is what an operation is about: Volumes of DescribeVolumes.
func verbless(op string) string {
	for _, v := range []string{"Describe", "List", "Get"} {
		if rest, ok := strings.CutPrefix(op, v); ok && rest != "" {
			return rest
		}
	}
	return op
}

// didYouMean is the clause that a message about an unknown name ends with.
func didYouMean(name string, known []string) string {
	if n := near(name, known); n != "" {
		return "; did you mean " + quote(n) + "?"
	}
	return ""
}

func quote(s string) string { return `"` + s + `"` }
