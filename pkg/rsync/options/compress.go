package options

import (
	"strconv"
	"strings"
)

// Compression gives what the options ask for: whether data is compressed and
// with what, "" for what both sides negotiate. The level may still turn it
// off, and whether the name is known is for the compress package to say.
// // options.c:parse_arguments, compat.c:parse_compress_choice
func (o *Options) Compression() (on bool, choice string) {
	switch c := strings.ToLower(o.CompressChoice); c {
	case "none":
		return false, ""
	case "", "auto":
	default:
		return true, c
	}
	if o.Compress > 1 && !o.Server {
		return true, "zlibx"
	}
	return o.Compress > 0 || o.CompressLevel.Set, ""
}

func noCompress(s *state, _ string) *Error {
	s.Compress, s.CompressChoice = 0, ""
	return nil
}

func setCompressChoice(name string) action {
	return func(s *state, _ string) *Error { s.CompressChoice = name; return nil }
}

// compressChoice takes names of letters and digits only, so that they can go
// to a remote shell as they are.
func compressChoice(s *state, arg string) *Error {
	strange := strings.IndexFunc(arg, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
	})
	if arg == "" || strange >= 0 {
		return &Error{Kind: Unsupported, Option: "--compress-choice", Text: s.remote() + "unknown compress name: " + arg}
	}
	s.CompressChoice = arg
	return nil
}

func setSkipCompress(s *state, arg string) *Error {
	s.SkipCompress, s.SkipCompressSet = arg, true
	return nil
}

// compressLetter stands for zlib, or for what will be negotiated.
func compressLetter(o *Options, _ Peer) string {
	on, choice := o.Compression()
	if on && (choice == "zlib" || choice == "" && o.Compress > 0) {
		return "z"
	}
	return ""
}

func compressLevelWord(o *Options, _ Peer) string {
	if on, _ := o.Compression(); !on || !o.CompressLevel.Set {
		return ""
	}
	return "--compress-level=" + strconv.FormatInt(o.CompressLevel.Value, 10)
}

// compressChoiceWord names zlib and zlibx as versions before 3.2.0 know them.
func compressChoiceWord(o *Options, _ Peer) string {
	switch _, choice := o.Compression(); {
	case choice == "zlib":
		return "--old-compress"
	case choice == "zlibx":
		return "--new-compress"
	case choice != "":
		return "--compress-choice=" + choice
	case strings.EqualFold(o.CompressChoice, "none"):
		return "--compress-choice=none"
	}
	return ""
}

// skipCompressWord tells a server that sends which files to spare.
func skipCompressWord(o *Options, p Peer) string {
	if !o.SkipCompressSet || p.Push {
		return ""
	}
	return "--skip-compress=" + o.SkipCompress
}
