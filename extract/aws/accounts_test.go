package aws

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
)

func pemOf(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// cloud answers the calls by which accounts and regions are found. Who has
// assumed a role in account N calls with the key ASIAN.
type cloud struct {
	assumed atomic.Int32
	roles   []url.Values
	alias   string
	regions http.HandlerFunc
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request, body string) {
	form, _ := url.ParseQuery(body)
	_, key, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ = strings.Cut(key, "/")
	account := "111111111111"
	if n, ok := strings.CutPrefix(key, "ASIA"); ok {
		account = n
	}
	switch form.Get("Action") {
	case "AssumeRole":
		c.assumed.Add(1)
		c.roles = append(c.roles, form)
		if form.Get("ExternalId") == "wrong" {
			status(403, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>`)(w, r)
			return
		}
		target := strings.Split(form.Get("RoleArn"), ":")[4]
		fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA%s</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			target, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	case "GetCallerIdentity":
		fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::%s:assumed-role/reader/dewpoint</Arn><Account>%s</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`, account, account)
	case "ListAccountAliases":
		if c.alias == "" {
			status(403, `<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>`)(w, r)
			return
		}
		fmt.Fprintf(w, `<ListAccountAliasesResponse><ListAccountAliasesResult><AccountAliases><member>%s</member></AccountAliases></ListAccountAliasesResult></ListAccountAliasesResponse>`, c.alias)
	case "DescribeRegions":
		c.regions(w, r)
	}
}

func describeRegions(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `<DescribeRegionsResponse><requestId>r</requestId><regionInfo>
<item><regionName>us-east-1</regionName><optInStatus>opt-in-not-required</optInStatus></item>
<item><regionName>eu-west-1</regionName><optInStatus>opt-in-not-required</optInStatus></item>
<item><regionName>me-south-1</regionName><optInStatus>not-opted-in</optInStatus></item>
<item><regionName>eu-south-2</regionName><optInStatus>opted-in</optInStatus></item></regionInfo></DescribeRegionsResponse>`)
}

func (c *cloud) start(t *testing.T) *fake {
	if c.regions == nil {
		c.regions = describeRegions
	}
	var f *fake
	f = serve(t, func(w http.ResponseWriter, r *http.Request) { c.ServeHTTP(w, r, f.last(t).body) })
	return f
}

func TestAccountOfTheCaller(t *testing.T) {
	cl := &cloud{alias: "acme-prod"}
	c := client(t, cl.start(t).URL, Options{Region: "eu-west-1"})
	a, err := c.Account(t.Context(), AccountConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != "111111111111" || a.Name != "acme-prod" || a.Partition != "aws" || a.Region != "eu-west-1" || !strings.HasSuffix(a.Caller, "/dewpoint") {
		t.Errorf("%+v", a)
	}
}

func TestAccountWithoutARegionUsesThePartitionsHome(t *testing.T) {
	c := client(t, (&cloud{}).start(t).URL, Options{})
	a, err := c.Account(t.Context(), AccountConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Region != "us-east-1" || a.Name != "" {
		t.Errorf("%+v", a)
	}
}

func TestAccountByAChainOfRoles(t *testing.T) {
	cl := &cloud{}
	c := client(t, cl.start(t).URL, Options{})
	a, err := c.Account(t.Context(), AccountConfig{
		Via:        []AssumeRole{{RoleARN: "arn:aws:iam::222222222222:role/hub"}},
		AssumeRole: AssumeRole{RoleARN: "arn:aws:iam::333333333333:role/reader", ExternalID: "x", SessionName: "s", Duration: 30 * time.Minute},
		Name:       "prod",
	})
	if err != nil {
		t.Fatal(err)
	}
	if a.ID != "333333333333" || a.Name != "prod" {
		t.Errorf("%+v", a)
	}
	if len(cl.roles) != 2 || cl.roles[0].Get("RoleSessionName") != "dewpoint" || cl.roles[0].Get("DurationSeconds") != "3600" ||
		cl.roles[1].Get("ExternalId") != "x" || cl.roles[1].Get("RoleSessionName") != "s" || cl.roles[1].Get("DurationSeconds") != "1800" {
		t.Errorf("roles %v", cl.roles)
	}
	for range 3 {
		if _, _, _, err := c.Regions(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if n := cl.assumed.Load(); n != 2 {
		t.Errorf("roles were assumed %d times", n)
	}
}

func TestRolesAreAssumedLazily(t *testing.T) {
	cl := &cloud{}
	c := client(t, cl.start(t).URL, Options{})
	if _, err := c.open(t.Context(), AccountConfig{AssumeRole: AssumeRole{RoleARN: "arn:aws:iam::333333333333:role/reader"}}); err != nil {
		t.Fatal(err)
	}
	if n := cl.assumed.Load(); n != 0 {
		t.Errorf("assumed %d times", n)
	}
}

func TestRoleThatMayNotBeAssumed(t *testing.T) {
	c := client(t, (&cloud{}).start(t).URL, Options{})
	_, err := c.Account(t.Context(), AccountConfig{AssumeRole: AssumeRole{RoleARN: "arn:aws:iam::333333333333:role/reader", ExternalID: "wrong"}})
	var e *APIError
	if !errors.As(err, &e) || !e.Credentials() || !e.Denied() {
		t.Fatalf("%v", err)
	}
	if got := err.Error(); !strings.Contains(got, "account of arn:aws:iam::333333333333:role/reader: ") ||
		!strings.Contains(got, "STS AssumeRole: AccessDenied: not authorized to perform: sts:AssumeRole") {
		t.Errorf("got %s", got)
	}
}

func TestFaultyAccountConfigs(t *testing.T) {
	c := client(t, (&cloud{}).start(t).URL, Options{})
	for want, ac := range map[string]AccountConfig{
		`"reader" is not the ARN of a role`: {AssumeRole: AssumeRole{RoleARN: "reader"}},
		`no profile "nobody"`:               {Profile: "nobody"},
	} {
		if _, err := c.Account(t.Context(), ac); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestAccountByAProfile(t *testing.T) {
	f := (&cloud{}).start(t)
	c := client(t, f.URL, Options{})
	file := filepath.Join(t.TempDir(), "config")
	write(t, file, `
[profile base]
aws_access_key_id = ASIA555555555555
aws_secret_access_key = x
[profile role]
role_arn = arn:aws:iam::444444444444:role/reader
source_profile = base
region = eu-central-1
`)
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_ENDPOINT_URL_STS", f.URL) // profiles' roles are assumed there, not at AWS_ENDPOINT_URL
	for profile, id := range map[string]string{"base": "555555555555", "role": "444444444444"} {
		a, err := c.Account(t.Context(), AccountConfig{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		if a.ID != id || profile == "role" && a.Region != "eu-central-1" {
			t.Errorf("profile %s: %+v", profile, a)
		}
	}
}

func TestExpiredSSOSessionSaysWhatToDo(t *testing.T) {
	f := serve(t, status(401, `{"__type":"UnauthorizedException"}`))
	bare(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	file := filepath.Join(home, "config")
	write(t, file, `
[profile sso]
sso_session = corp
sso_account_id = 111111111111
sso_role_name = reader
region = eu-west-1
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
`)
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
	unset(t, "AWS_ACCESS_KEY_ID")
	unset(t, "AWS_SECRET_ACCESS_KEY")
	c, err := NewClient(t.Context(), Options{Profile: "sso"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Account(t.Context(), AccountConfig{})
	var e *APIError
	if !errors.As(err, &e) || !e.Credentials() || !strings.Contains(err.Error(), "aws sso login") {
		t.Errorf("%v", err)
	}
}

func TestNoCredentialsSaysWhatToDo(t *testing.T) {
	f := serve(t, text(""))
	client(t, f.URL, Options{}) // for the environment
	unset(t, "AWS_ACCESS_KEY_ID")
	unset(t, "AWS_SECRET_ACCESS_KEY")
	c, err := NewClient(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Account(t.Context(), AccountConfig{})
	var e *APIError
	if !errors.As(err, &e) || !e.Credentials() || !strings.Contains(err.Error(), "set AWS_PROFILE") {
		t.Errorf("%v", err)
	}
	if n := len(f.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestRegions(t *testing.T) {
	for _, tc := range []struct {
		patterns, want, off []string
		err                 string
	}{
		{nil, []string{"eu-south-2", "eu-west-1", "us-east-1"}, nil, ""},
		{[]string{"eu-*"}, []string{"eu-south-2", "eu-west-1"}, nil, ""},
		{[]string{"eu-west-1", "eu-*", "us-east-1"}, []string{"eu-south-2", "eu-west-1", "us-east-1"}, nil, ""},
		{[]string{"us-*", "me-south-1"}, []string{"us-east-1"}, []string{"me-south-1"}, ""},
		{[]string{"sa-*", "me-south-1"}, nil, nil, `(sa-*, me-south-1) is enabled in account 111111111111`},
		{[]string{"eu-["}, nil, nil, `region pattern "eu-["`},
	} {
		c := client(t, (&cloud{}).start(t).URL, Options{})
		a, err := c.Account(t.Context(), AccountConfig{Regions: tc.patterns})
		if err != nil {
			t.Fatal(err)
		}
		got, off, problem, err := c.Regions(t.Context(), a)
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%v: error %v, want %q", tc.patterns, err, tc.err)
			}
			continue
		}
		if err != nil || problem != nil || !slices.Equal(got, tc.want) || !slices.Equal(off, tc.off) {
			t.Errorf("%v: %v, off %v, problem %v, error %v", tc.patterns, got, off, problem, err)
		}
	}
}

func TestRegionsWhenTheyMayNotBeAsked(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"UnauthorizedOperation": status(403, `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>`),
		"":                      text(`<DescribeRegionsResponse><regionInfo/></DescribeRegionsResponse>`),
	} {
		regionsWithoutAnAnswer(t, answer, name)
	}
}

func regionsWithoutAnAnswer(t *testing.T, answer http.HandlerFunc, code string) {
	t.Helper()
	cl := &cloud{regions: answer}
	c := client(t, cl.start(t).URL, Options{})
	a, err := c.Account(t.Context(), AccountConfig{})
	if err != nil {
		t.Fatal(err)
	}
	got, _, problem, err := c.Regions(t.Context(), a)
	if err != nil || len(got) != 17 || !slices.IsSorted(got) || problem == nil || problem.Code != code {
		t.Errorf("%d regions %v, problem %+v, error %v", len(got), got, problem, err)
	}
	if got, _, _, err = c.Regions(t.Context(), a, "me-south-1", "eu-west-*"); err != nil || !slices.Equal(got, []string{"eu-west-1", "eu-west-2", "eu-west-3", "me-south-1"}) {
		t.Errorf("a region that is named is read: %v, %v", got, err)
	}
}

func TestRegionsOfARecording(t *testing.T) {
	tape := &memory{}
	c := client(t, (&cloud{alias: "acme"}).start(t).URL, Options{Recorder: tape, Region: "eu-west-1"})
	a, err := c.Account(t.Context(), AccountConfig{})
	if err != nil {
		t.Fatal(err)
	}
	want, _, _, err := c.Regions(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	replay, err := NewClient(t.Context(), Options{Player: tape})
	if err != nil {
		t.Fatal(err)
	}
	as := replay.Recorded()
	if len(as) != 1 || as[0].ID != a.ID || as[0].Name != "acme" || as[0].Partition != "aws" {
		t.Fatalf("accounts %+v", as)
	}
	got, _, problem, err := replay.Regions(t.Context(), as[0])
	if err != nil || problem != nil || !slices.Equal(got, want) {
		t.Errorf("%v, problem %v, error %v", got, problem, err)
	}
	var missing *extract.MissingError
	if _, _, _, err := replay.Regions(t.Context(), &Account{ID: "2", Region: "eu-west-1"}); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}

func TestPartitions(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso",
		"us-isob-east-1": "aws-iso-b", "eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f", "eusc-de-east-1": "aws-eusc",
		"eu-north-99": "aws", "": "aws",
	} {
		if got := partitionOf(region); got != want {
			t.Errorf("%q is in %s, want %s", region, got, want)
		}
	}
	for _, r := range defaultRegions("aws") {
		if optIn(r) {
			t.Errorf("%s must be opted into", r)
		}
	}
	if !optIn("af-south-1") || optIn("us-gov-east-1") || optIn("global") {
		t.Error("opt-in")
	}
	if got := defaultRegions("aws-us-gov"); !slices.Equal(got, []string{"us-gov-east-1", "us-gov-west-1"}) {
		t.Errorf("%v", got)
	}
}
