package notify_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/dewpoint-data/dewpoint/react/notify"
)

// mailbox is a server of SMTP. It refuses so many messages for the moment.
type mailbox struct {
	mu       sync.Mutex
	refuse   int
	logins   int
	received [][]byte
	to       []string
}

type session struct {
	*mailbox
	needs, in bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.logins++
		if user != "dewpoint" || password != "pass:word" {
			return smtp.ErrAuthFailed
		}
		s.in = true
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if s.needs && !s.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse > 0 {
		s.refuse--
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	}
	s.received = append(s.received, b)
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// serveMail starts a mailbox: starttls, tls or none.
func serveMail(t *testing.T, how string, login bool) (box *mailbox, address string, client *tls.Config) {
	t.Helper()
	certified := httptest.NewTLSServer(nil)
	certified.Close()
	pool := x509.NewCertPool()
	pool.AddCert(certified.Certificate())
	box = &mailbox{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{mailbox: box, needs: login}, nil }))
	server.Domain = "localhost"
	server.ErrorLog = quiet{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: certified.TLS.Certificates}
	switch how {
	case "tls":
		listener = tls.NewListener(listener, config)
	case "starttls":
		server.TLSConfig = config
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return box, listener.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func TestMail(t *testing.T) {
	for _, c := range []struct {
		name, server, keys string
		login              bool
		refuse, pauses     int
		fails              string
	}{
		{name: "starttls", server: "starttls", keys: "username: dewpoint, password: 'pass:word'", login: true},
		{name: "tls", server: "tls", keys: "tls: tls, username: dewpoint, password: 'pass:word'", login: true},
		{name: "none", server: "none", keys: "tls: none"},
		{name: "refused for the moment", server: "none", keys: "tls: none", refuse: 2, pauses: 2},
		{name: "no encryption offered", server: "none", keys: "", fails: "STARTTLS"},
		{name: "wrong password", server: "starttls", keys: "username: dewpoint, password: another", login: true, fails: "connect to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			box, address, config := serveMail(t, c.server, c.login)
			box.refuse = c.refuse
			text := "{type: email, server: '" + address + "', from: 'Dewpoint <dewpoint@example.org>', to: [ann@example.org, bob@example.org]"
			if c.keys != "" {
				text += ", " + c.keys
			}
			var pauses []time.Duration
			s := sender(&pauses)
			s.Mail = &notify.MailOptions{TLS: config}
			m := message()
			m.Title = "Ünlucky\r\nBcc: eve@example.org"
			err := s.Send(t.Context(), "mail", channel(t, text+"}"), m)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "another") || len(pauses) > 0 {
					t.Errorf("%v after %d pauses", err, len(pauses))
				}
				if len(box.received) > 0 || c.server == "none" && box.logins > 0 {
					t.Error("something was sent")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(box.received) != 1 || len(pauses) != c.pauses {
				t.Fatalf("received %d, after %d pauses", len(box.received), len(pauses))
			}
			checkMail(t, box, m)
		})
	}
}

func checkMail(t *testing.T, box *mailbox, m *notify.Message) {
	t.Helper()
	got, err := netmail.ReadMessage(bytes.NewReader(box.received[0]))
	if err != nil {
		t.Fatal(err)
	}
	h := got.Header
	if h.Get("Message-Id") != "<"+m.Key+"@dewpoint>" || h.Get("Bcc") != "" || h.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%v", h)
	}
	if list, err := h.AddressList("To"); err != nil || len(list) != 2 || len(box.to)%2 != 0 {
		t.Errorf("to %v %v, %v", list, box.to, err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil && !errors.Is(err, io.EOF) || !bytes.Contains(body, []byte("vol-1  ann")) {
		t.Errorf("%s, %v", body, err)
	}
}
