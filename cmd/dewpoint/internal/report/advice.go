package report

import (
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/schema"
)

func plural(n int, one, many string) string { return term.Plural(int64(n), one, many) }

// expired are codes that say that the credentials are no longer good.
var expired = []string{
	"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "CredentialsExpired",
}

// invalid are codes that say that the credentials never were.
var invalid = []string{
	"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "InvalidAccessKeyId",
	"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken",
}

// advise says what to do about a group.
func advise(g *Group, lookup Lookup) []string {
	text := strings.ToLower(g.Error)
	switch {
	case slices.Equal(g.Kinds, []string{"*"}) && g.State != schema.Unreachable && !slices.Contains(expired, g.Code):
		return []string{"The account cannot be entered or its regions not be read: see dewpoint doctor. Its rows stay."}
	case slices.Contains(expired, g.Code):
		return []string{
			"The credentials have expired: log in again (aws sso login --profile NAME, or a new session token) and run the sync again.",
		}
	case slices.Contains(invalid, g.Code):
		return []string{"AWS does not take the credentials: see dewpoint doctor."}
	case g.Code == "OptInRequired" || g.Code == "SubscriptionRequiredException":
		return []string{"The account has not signed up for the service: leave it out with kinds.skip."}
	case strings.Contains(text, "service control policy"):
		return []string{
			"A service control policy of the organisation denies it: allow " + actions(g, lookup) +
				" there, or leave the region (aws.regions) or the kind (kinds.skip) out.",
		}
	case g.State == schema.Denied || denied(g.Code):
		return []string{
			"Allow " + actions(g, lookup) + " to the reader. The policy for it:",
			"  dewpoint permissions aws --only " + strings.Join(few(g.Kinds, 3), " --only "),
		}
	case g.State == schema.Throttled || strings.Contains(g.Code, "Throttl") || g.Code == "TooManyRequestsException":
		return []string{"AWS limits the rate of this call and something else uses it too: run the sync again, with fewer --workers if it recurs."}
	case g.State == schema.TimedOut:
		return []string{"Raise scope_timeout in dewpoint.yaml, or leave the kind out with kinds.skip."}
	case g.State == schema.Unreachable:
		switch cloud, _, _ := strings.Cut(g.Kinds[0], "_"); cloud {
		case "gcp":
			return []string{"The project is gone or suspended, or the network closed: leave it out (gcp.exclude), or see dewpoint doctor."}
		case "kubernetes":
			return []string{"The cluster does not answer: leave it out (kubernetes.contexts), or see dewpoint doctor."}
		}
		return []string{"The region is disabled, the account suspended or the network closed: leave the region out (aws.regions), or see dewpoint doctor."}
	case g.State == schema.Skipped:
		return []string{"The sync was interrupted before them: run it again."}
	case strings.Contains(g.Error, "has no answer to"):
		return []string{"The recording was made with other kinds or another version: record anew."}
	case g.Kinds[0] == "":
		return nil // what a source says of itself
	case g.State == schema.Failed || g.Detail:
		return []string{again + "If it recurs, dewpoint sync --record DIR " + onlyFlags(g.Kinds) + " keeps the answers for a bug report."}
	}
	return nil
}

func onlyFlags(kinds []string) string { return "--only " + strings.Join(few(kinds, 1), " --only ") }

func denied(code string) bool {
	return strings.Contains(code, "AccessDenied") || strings.Contains(code, "Unauthorized") ||
		code == "AuthorizationError" || code == "AuthorizationErrorException" || code == "Forbidden" || code == "403"
}

// actions are the IAM actions that the group's call needs.
func actions(g *Group, lookup Lookup) string {
	var list []string
	for _, k := range g.Kinds {
		for _, a := range lookup(k).Actions[g.Call] {
			insert(&list, a)
		}
	}
	if len(list) == 0 {
		return g.Service + ":" + g.Call
	}
	return strings.Join(list, ", ")
}

func few(list []string, n int) []string { return list[:min(n, len(list))] }

const again = "Run the sync again. "

// Fold says what holds of several groups alike once, after the last of them.
func Fold(groups []Group) []Group {
	var failed []int
	for i, g := range groups {
		if len(g.Advice) > 0 && strings.HasPrefix(g.Advice[0], again) {
			failed = append(failed, i)
		}
	}
	if len(failed) < 2 {
		return groups
	}
	groups = slices.Clone(groups)
	for _, i := range failed {
		groups[i].Advice = nil
	}
	groups[failed[len(failed)-1]].Advice = []string{again + "Of what recurs, dewpoint sync --record DIR --only KIND keeps the answers for a bug report."}
	return groups
}
