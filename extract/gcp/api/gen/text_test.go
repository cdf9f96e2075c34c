package main

import "testing"

func TestSentence(t *testing.T) {
	for doc, want := range map[string]string{
		"[Output Only] The status of the instance. One of these.":         "The status of the instance.",
		"Output only. Immutable. The unique id, e.g. 12 or so. More.":     "The unique id, e.g. 12 or so.",
		"[Output only] Server-defined\nURL for the\n resource.":           "Server-defined URL for the resource.",
		"Required. See [the docs](https://cloud.google.com/x). And more.": "See the docs.",
		"The [Topic][google.pubsub.v1.Topic] of it":                       "The Topic of it",
		"The Google Cloud Storage <code>bucket</code>.":                   "The Google Cloud Storage bucket.",
		"": "",
	} {
		if got := sentence(doc); got != want {
			t.Errorf("%q: %q, want %q", doc, got, want)
		}
	}
}
