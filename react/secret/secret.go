// Package secret holds what must not be shown: in goes a text of the
// configuration, out comes what it stands for, only to who asks for the value.
package secret

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Text is a text that is never shown. "file:PATH" in its place is the content
// of a file, without the line end, which is read whenever it is used.
type Text struct{ text string }

// New is a secret of a text.
func New(text string) Text { return Text{text} }

// Hidden is shown in the place of a secret.
const Hidden = "[secret]"

// UnmarshalYAML reads a text.
func (s *Text) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&s.text) != nil {
		return errors.New("it must be a text")
	}
	return nil
}

// String, GoString and MarshalJSON do not tell it.
func (s Text) String() string { return Hidden }

// GoString implements fmt.GoStringer.
func (s Text) GoString() string { return Hidden }

// MarshalJSON implements json.Marshaler.
func (s Text) MarshalJSON() ([]byte, error) { return json.Marshal(Hidden) }

// Set says whether there is one.
func (s Text) Set() bool { return s.text != "" }

// Value is what it stands for.
func (s Text) Value() (string, error) {
	path, ok := strings.CutPrefix(s.text, "file:")
	if !ok {
		return s.text, nil
	}
	b, err := os.ReadFile(path)
	var at *fs.PathError
	if errors.As(err, &at) {
		return "", fmt.Errorf("read the secret in %s: %w", path, at.Err)
	}
	return strings.TrimRight(string(b), "\r\n"), err
}

// Hide takes secrets out of a text.
func Hide(text string, all ...Text) string {
	for _, s := range all {
		if v, err := s.Value(); err == nil && len(v) > 3 {
			text = strings.ReplaceAll(text, v, Hidden)
		}
	}
	return text
}
