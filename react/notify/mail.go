package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"
)

// MailOptions change how a server of e-mail is reached.
type MailOptions struct{ TLS *tls.Config }

func (c *Channel) validateMail() error {
	if _, _, err := c.mailServer(); err != nil {
		return err
	}
	switch c.TLS {
	case "", "starttls", "tls":
	case "none":
		if c.Password.Set() {
			return errors.New("tls is none: a password is sent over encrypted connections only")
		}
	default:
		return fmt.Errorf("tls is %q: take starttls, tls or none", c.TLS)
	}
	if c.Username.Set() != c.Password.Set() {
		return errors.New("give both username and password, or none of them")
	}
	for _, a := range append([]string{c.From}, c.To...) {
		if _, err := netmail.ParseAddress(a); err != nil {
			return fmt.Errorf("%q is no address of e-mail", a)
		}
	}
	return nil
}

func (c *Channel) mailServer() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(c.Server)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || host == "" || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("server is %q: write HOST:PORT, e.g. smtp.example.org:587", c.Server)
	}
	return host, port, nil
}

// mail sends an e-mail once.
func (s *Sender) mail(ctx context.Context, c *Channel, m *Message) error {
	msg, err := c.compose(m)
	if err != nil {
		return err
	}
	host, port, err := c.mailServer()
	if err != nil {
		return err
	}
	o := []mail.Option{mail.WithPort(port), mail.WithTimeout(patience)}
	switch c.TLS {
	case "tls":
		o = append(o, mail.WithSSL())
	case "none":
		o = append(o, mail.WithTLSPolicy(mail.NoTLS))
	default:
		o = append(o, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.Mail != nil && s.Mail.TLS != nil {
		o = append(o, mail.WithTLSConfig(s.Mail.TLS))
	}
	if c.Username.Set() {
		user, err := c.Username.Value()
		if err != nil {
			return err
		}
		password, err := c.Password.Value()
		if err != nil {
			return err
		}
		o = append(o, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(user), mail.WithPassword(password))
	}
	client, err := mail.NewClient(host, o...)
	if err != nil {
		return err
	}
	if err := client.DialWithContext(ctx); err != nil {
		err = fmt.Errorf("connect to %s: %w", c.Server, err)
		// A server that refuses the password, or cannot encrypt, does so again.
		var no net.Error
		var code *textproto.Error
		if errors.As(err, &no) || errors.As(err, &code) && code.Code/100 == 4 {
			return temporary{error: err}
		}
		return err
	}
	err = client.Send(msg)
	// What the server has taken is sent: how the connection ends is no matter.
	_ = client.Close()
	var at *mail.SendError
	if err != nil {
		err = fmt.Errorf("send by %s: %w", c.Server, err)
		if errors.As(err, &at) && at.IsTemp() {
			return temporary{error: err}
		}
	}
	return err
}

// compose makes the e-mail. Its id is the message's key, by which a mail program
// knows one that comes again.
func (c *Channel) compose(m *Message) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(c.From); err != nil {
		return nil, err
	}
	if err := msg.To(c.To...); err != nil {
		return nil, err
	}
	msg.Subject(truncate(200, m.Title))
	msg.SetMessageIDWithValue(m.Key + "@dewpoint")
	msg.SetDateWithValue(m.At)
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	var b strings.Builder
	if m.Text != "" {
		b.WriteString(m.Text + "\n\n")
	}
	for _, f := range m.Fields {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	if len(m.Fields) > 0 {
		b.WriteString("\n")
	}
	if table := m.table(500); table != "" {
		b.WriteString(table + "\n\n")
	}
	b.WriteString("-- \n" + footer(m) + "\n")
	msg.SetBodyString(mail.TypeTextPlain, b.String())
	return msg, nil
}
