package session

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

// AskModule names a module, or "" for the list of modules, and reads the
// daemon's lines up to its consent. Lines of text go to say, with control
// characters made visible. A list ends the conversation: listed is then true.
func AskModule(r *wire.Reader, w *wire.Writer, module string, say func(line string)) (listed bool, err error) {
	if strings.ContainsAny(module, "\n\x00") {
		return false, proto.Failf(proto.ExitSyntax, "the module name %q has a newline or NUL in it", clip(module))
	}
	if err := sendText(w, module+"\n"); err != nil {
		return false, fmt.Errorf("ask for module %q: %w", module, err)
	}
	for range maxMotd {
		line := r.Line('\n', maxLine, "daemon's answer")
		if r.Err() != nil {
			if module == "" && errors.Is(r.Err(), io.ErrUnexpectedEOF) {
				return true, nil // 2.3.2 and 2.4.6 end a list by closing
			}
			return false, broken(proto.ExitStartClient, fmt.Errorf("read the daemon's answer: %w", r.Err()))
		}
		switch {
		case line == marker+"OK":
			return false, nil
		case line == marker+"EXIT":
			return true, nil
		case strings.HasPrefix(line, marker+"AUTHREQD "):
			return false, proto.Failf(proto.ExitUnsupported, "module %q asks for a password, which is not supported yet", module)
		case strings.HasPrefix(line, "@ERROR"):
			return false, proto.Failf(proto.ExitStartClient, "%s", printable(line))
		}
		say(printable(line))
	}
	return false, proto.Failf(proto.ExitStartClient, "the daemon sends more than %d lines before it consents", maxMotd)
}
