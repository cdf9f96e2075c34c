package aws

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
)

// memory is a tape in memory.
type memory struct {
	mu       sync.Mutex
	calls    map[extract.TapeKey]extract.Exchange
	accounts []extract.TapeAccount
}

func (m *memory) Record(k extract.TapeKey, x extract.Exchange) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls == nil {
		m.calls = map[extract.TapeKey]extract.Exchange{}
	}
	x.Body = append([]byte(nil), x.Body...)
	m.calls[k] = x
	return nil
}

func (m *memory) Account(a extract.TapeAccount) error {
	m.accounts = append(m.accounts, a)
	return nil
}

func (m *memory) Accounts() []extract.TapeAccount { return m.accounts }

func (m *memory) Play(k extract.TapeKey) (extract.Exchange, error) {
	x, ok := m.calls[k]
	if !ok {
		return x, &extract.MissingError{Key: k}
	}
	return x, nil
}

func (m *memory) all() string {
	var b strings.Builder
	for k, x := range m.calls {
		fmt.Fprintf(&b, "%v %d %v %s\n", k, x.Status, x.Header, x.Body)
	}
	return b.String()
}

func newTLSServer(t *testing.T) string {
	s := httptest.NewUnstartedServer(text(""))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// replayed makes the call once against the handler and once from what that
// recorded, without credentials.
func replayed(t *testing.T, h http.HandlerFunc, svc *api.Service, op string, in map[string]any, redact func([]byte) []byte) (*Response, *memory, error) {
	t.Helper()
	f := serve(t, h)
	tape := &memory{}
	c := client(t, f.URL, Options{Recorder: tape})
	resp, _ := c.Do(t.Context(), Request{Account: account(), Region: "eu-west-1", Service: svc, Op: svc.Operations[op], Input: in, Redact: redact})
	if resp != nil {
		resp.Release()
	}
	player, err := NewClient(t.Context(), Options{Player: tape})
	if err != nil {
		t.Fatal(err)
	}
	n := len(f.requests())
	resp, err = player.Do(t.Context(), Request{Account: &Account{ID: "123456789012"}, Region: "eu-west-1", Service: svc, Op: svc.Operations[op], Input: in})
	if len(f.requests()) != n {
		t.Error("the replay used the network")
	}
	return resp, tape, err
}

func TestReplayGivesTheAnswerAgain(t *testing.T) {
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e1"`)
		w.Header().Set("X-Amz-Meta-Owner", "me")
		w.Header().Set("Set-Cookie", "secret")
		w.Header().Set("X-Amz-Request-Id", "r-1")
	}
	resp, tape, err := replayed(t, h, s3(), "HeadObject", map[string]any{"Bucket": "b", "Key": "k"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != 200 || resp.Header.Get("ETag") != `"e1"` || resp.Header.Get("X-Amz-Meta-Owner") != "me" {
		t.Errorf("%d %v", resp.Status, resp.Header)
	}
	if all := tape.all(); strings.Contains(all, "secret") || strings.Contains(all, "r-1") {
		t.Errorf("the tape holds headers that are nobody's: %s", all)
	}
}

func TestReplayGivesTheErrorAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		svc  *api.Service
		op   string
		in   map[string]any
		code int
		body string
		want string
	}{
		"json":    {dynamodb(), "DescribeTable", map[string]any{"TableName": "t"}, 400, `{"__type":"x#AccessDeniedException","message":"<no>"}`, "AccessDeniedException: <no>"},
		"xml":     {s3(), "ListBuckets", nil, 403, `<Error><Code>AccessDenied</Code><Message>a &amp; b</Message></Error>`, "AccessDenied: a & b"},
		"no code": {s3(), "ListBuckets", nil, 404, ``, "404 Not Found"},
		"in 200":  {s3(), "ListBuckets", nil, 200, `<Error><Code>AccessDenied</Code></Error>`, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := replayed(t, status(tc.code, tc.body), tc.svc, tc.op, tc.in, nil)
			var e *APIError
			if !errors.As(err, &e) || !strings.HasSuffix(e.Error(), ": "+tc.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestRecordedBodyIsRedacted(t *testing.T) {
	redact := func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "secret", "")) }
	resp, tape, err := replayed(t, text(`{"Table":"secret"}`), dynamodb(), "DescribeTable", map[string]any{"TableName": "t"}, redact)
	if err != nil {
		t.Fatal(err)
	}
	if string(resp.Body) != `{"Table":""}` || strings.Contains(tape.all(), "secret") {
		t.Errorf("%s; %s", resp.Body, tape.all())
	}
}

func TestNetworkFailureIsNotRecorded(t *testing.T) {
	tape := &memory{}
	c := client(t, "http://127.0.0.1:1", Options{Recorder: tape, MaxAttempts: 1})
	refused(t, c, ec2(), "DescribeInstances", nil)
	if len(tape.calls) != 0 {
		t.Errorf("recorded %s", tape.all())
	}
}

func TestCredentialsAreNeverRecorded(t *testing.T) {
	for service, ops := range map[string][]string{
		"sts":              {"AssumeRole", "AssumeRoleWithWebIdentity", "GetSessionToken", "GetFederationToken"},
		"sso":              {"GetRoleCredentials"},
		"cognito-identity": {"GetCredentialsForIdentity"},
		"ec2":              {"GetPasswordData"},
		"ecr":              {"GetAuthorizationToken"},
		"iam":              {"CreateAccessKey"},
		"secretsmanager":   {"GetSecretValue"},
		"ssm":              {"GetParameters", "GetParametersByPath"},
	} {
		for _, op := range ops {
			if !secretive(service, op) {
				t.Errorf("%s %s would be recorded", service, op)
			}
		}
	}
	for service, op := range map[string]string{"sts": "GetCallerIdentity", "iam": "ListAccessKeys", "ec2": "DescribeInstances", "ssm": "DescribeParameters", "secretsmanager": "ListSecrets", "cognito-idp": "ListUserPools"} {
		if secretive(service, op) {
			t.Errorf("%s %s would not be recorded", service, op)
		}
	}
	svc := service(api.Service{Name: "ecr", EndpointPrefix: "ecr", Protocol: "json", TargetPrefix: "x"}, &api.Operation{Name: "GetAuthorizationToken"})
	_, tape, err := replayed(t, text(`{"token":"x"}`), svc, "GetAuthorizationToken", nil, nil)
	var missing *extract.MissingError
	if !errors.As(err, &missing) || len(tape.calls) != 0 {
		t.Errorf("%v, %s", err, tape.all())
	}
}

func TestMissingAnswerNamesTheCall(t *testing.T) {
	c, err := NewClient(t.Context(), Options{Player: &memory{}})
	if err != nil {
		t.Fatal(err)
	}
	svc := ec2()
	_, err = c.Do(t.Context(), Request{
		Account: &Account{ID: "1"}, Region: "eu-west-1", Service: svc, Op: svc.Operations["DescribeInstances"],
		Input: map[string]any{"MaxResults": 5},
	})
	var missing *extract.MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), `ec2 DescribeInstances {"MaxResults":5} in 1/eu-west-1`) {
		t.Errorf("%v", err)
	}
}
