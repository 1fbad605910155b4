package proto

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
)

func TestExitCode(t *testing.T) {
	plain := errors.New("something")
	partial := Fail(ExitPartial, plain)
	for _, tt := range []struct {
		name string
		err  error
		want Exit
	}{
		{"none", nil, ExitOK},
		{"plain", plain, ExitStreamIO},
		{"end of file", io.ErrUnexpectedEOF, ExitStreamIO},
		{"failure", partial, ExitPartial},
		{"wrapped failure", fmt.Errorf("pull: %w", partial), ExitPartial},
		{"joined failure", errors.Join(plain, partial), ExitPartial},
		{"exit", ExitVanished, ExitVanished},
		{"wrapped exit", fmt.Errorf("pull: %w", ExitVanished), ExitVanished},
		{"innermost of two", Fail(ExitFileIO, partial), ExitPartial},
		{"innermost behind a wrap", Fail(ExitFileIO, fmt.Errorf("pull: %w", partial)), ExitPartial},
		{"innermost behind Failf", Failf(ExitFileIO, "pull: %w", partial), ExitPartial},
		{"innermost an exit", Fail(ExitFileIO, fmt.Errorf("pull: %w", ExitVanished)), ExitVanished},
		{"innermost an exit behind Failf", Failf(ExitFileIO, "pull: %w", ExitVanished), ExitVanished},
		{"cancelled", fmt.Errorf("pull: %w", context.Canceled), ExitSignal},
		{"context's deadline", context.DeadlineExceeded, ExitTimeout},
		{"connection's deadline", fmt.Errorf("read: %w", os.ErrDeadlineExceeded), ExitTimeout},
		{"connection timed out", &os.SyscallError{Syscall: "read", Err: syscall.ETIMEDOUT}, ExitTimeout},
		{"connection reset", &os.SyscallError{Syscall: "read", Err: syscall.ECONNRESET}, ExitStreamIO},
		{"timeout with a code", Fail(ExitConnTimeout, os.ErrDeadlineExceeded), ExitConnTimeout},
		{"a failure that says 0", Failf(ExitOK, "x"), ExitStreamIO},
		{"a code beyond a process's", Failf(256, "x"), ExitStreamIO},
		{"a negative code", Failf(-1, "x"), ExitStreamIO},
		{"a bare code beyond a process's", Exit(1 << 20), ExitStreamIO},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ExitCode(tt.err); got != tt.want {
				t.Errorf("ExitCode(%v) = %d, want %d", tt.err, got, tt.want)
			}
		})
	}
}

func TestFailKeepsTheCause(t *testing.T) {
	if err := Fail(ExitFileIO, nil); err != nil {
		t.Errorf("Fail of nothing is %v", err)
	}
	err := Failf(ExitFileIO, "write %q: %w", "a", os.ErrPermission)
	if !errors.Is(err, os.ErrPermission) || err.Error() != `write "a": permission denied` {
		t.Errorf("got %v", err)
	}
}

// The texts are the person's only hint; the numbers are rsync's (errcode.h).
func TestExitTexts(t *testing.T) {
	seen := make(map[string]Exit)
	for _, code := range []Exit{0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 20, 22, 23, 24, 25, 30, 35} {
		text := code.Error()
		if other, dup := seen[text]; dup {
			t.Errorf("%d and %d are both %q", code, other, text)
		}
		seen[text] = code
		if text == fmt.Sprintf("unknown exit code %d", int(code)) {
			t.Errorf("%d has no text", code)
		}
	}
	if got := Exit(99).Error(); got != "unknown exit code 99" {
		t.Errorf("got %q", got)
	}
}

func TestTagsAndFlags(t *testing.T) {
	// Bits with two meanings are told apart by the version or the entry's kind;
	// these are the pairs that C rsync has, no more.
	if FlagExtended != FlagSameRdevOld || FlagSameRdevMajor != FlagNoContentDir || FlagSameDev != FlagUserName ||
		FlagRdevMinor8 != FlagGroupName || FlagLinkFirst != FlagErrorEndList || ItemSize != ItemTimeFail {
		t.Error("bits with two meanings have come apart")
	}
	if ItemSignificant&ItemTransfer == 0 || ItemSignificant&ItemXname != 0 || ItemWire&ItemMissing != 0 {
		t.Error("masks of item flags are wrong")
	}
}
