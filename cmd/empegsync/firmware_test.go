package main

import (
	"bytes"
	"strings"
	"testing"
)

// The configuration that is laid on players must be one that serve takes.
func TestFirmwareConfiguration(t *testing.T) {
	var out, errOut bytes.Buffer
	code := run(t.Context(), []string{"empegsync", "serve", "--check", "--config", "../../firmware/rsyncd.conf"}, nil, &out, &errOut)
	if code != 0 {
		t.Fatalf("serve --check ends with %d: %s", code, errOut.String())
	}
	for _, want := range []string{"drive0", "drive1", "/drive0, read only", "/drive1, read only"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
