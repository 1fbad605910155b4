package synk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// A command that has said something wrong and does not end by itself is ended.
// Its status is that of having been ended, which is not what went wrong.
func TestShellEndedByUs(t *testing.T) {
	t.Parallel()
	wrong := errors.New("that is no survey")
	s := Shell{Words: []string{"sh", "-c", `trap 'exit 255' TERM; echo hello; while :; do sleep 0.05; done`}}
	err := s.run(t.Context(), Peer{Host: "keel"}, "command", strings.NewReader(""), func(r io.Reader) error {
		line, err := bufio.NewReader(r).ReadString('\n')
		return fmt.Errorf("%w: %q, %v", wrong, line, err)
	})
	if !errors.Is(err, wrong) || !strings.Contains(err.Error(), "hello") {
		t.Error(err)
	}
}
