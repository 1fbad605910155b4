package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// synkWords are synk's options as given.
type synkWords struct {
	server, ask, dry, relay, json, help, recurse bool
	verbose, jobs                                int
	conf, port, prefer, backup                   string
	hosts, files                                 []string
	maxSkew                                      time.Duration
}

// parseSynk reads a command line as getopt does.
func parseSynk(words []string) (*synkWords, error) {
	o := &synkWords{maxSkew: time.Minute}
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		switch {
		case word == "--":
			o.files = append(o.files, words...)
			words = nil
		case strings.HasPrefix(word, "--"):
			name, value, given := strings.Cut(word[2:], "=")
			take := func() (string, error) {
				if !given && len(words) == 0 {
					return "", fmt.Errorf("--%s wants a value", name)
				}
				if !given {
					value, words = words[0], words[1:]
				}
				given = false
				return value, nil
			}
			if err := o.long(name, take); err != nil {
				return nil, err
			}
			if given {
				return nil, fmt.Errorf("--%s takes no value", name)
			}
		case len(word) > 1 && word[0] == '-':
			for i := 1; i < len(word); i++ {
				if flag := o.flag(word[i]); flag {
					continue
				}
				value := word[i+1:]
				if value == "" && len(words) > 0 {
					value, words = words[0], words[1:]
				}
				if err := o.short(word[i], value); err != nil {
					return nil, err
				}
				break
			}
		default:
			o.files = append(o.files, word)
		}
	}
	return o, o.check()
}

// flag sets an option without a value, if c is one.
func (o *synkWords) flag(c byte) bool {
	switch c {
	case 's':
		o.server = true
	case 'n':
		o.dry = true
	case 'i':
		o.ask = true
	case 'R':
		o.recurse = true
	case 'v':
		o.verbose++
	default:
		return false
	}
	return true
}

// short sets an option with a value.
func (o *synkWords) short(c byte, value string) (err error) {
	if strings.IndexByte("fphj", c) < 0 {
		return fmt.Errorf("unknown option -%c", c)
	}
	if value == "" {
		return fmt.Errorf("-%c wants a value", c)
	}
	switch c {
	case 'f':
		o.conf = value
	case 'p':
		o.port = value
	case 'h':
		o.hosts = append(o.hosts, value)
	case 'j':
		if o.jobs, err = strconv.Atoi(value); err != nil || o.jobs < 0 {
			return fmt.Errorf("-j %s: a number is wanted, 0 for no limit", value)
		}
	}
	return nil
}

// long sets a long option; take returns its value.
func (o *synkWords) long(name string, take func() (string, error)) (err error) {
	switch name {
	case "relay":
		o.relay = true
	case "json":
		o.json = true
	case "help":
		o.help = true
	case "prefer":
		o.prefer, err = take()
	case "backup-dir":
		if o.backup, err = take(); err == nil && !filepath.IsAbs(o.backup) {
			err = fmt.Errorf("--backup-dir=%s: a path from / on is wanted, for it is meant on every host", o.backup)
		}
	case "max-skew":
		var value string
		if value, err = take(); err == nil {
			if o.maxSkew, err = time.ParseDuration(value); err != nil || o.maxSkew < 0 {
				err = fmt.Errorf("--max-skew=%s: a time such as 90s or 5m is wanted", value)
			}
		}
	default:
		err = fmt.Errorf("unknown option --%s", name)
	}
	return err
}

func (o *synkWords) check() error {
	switch {
	case o.help:
		return nil
	case o.server && len(o.files) > 0:
		return errors.New("-s reads the names of files from its input")
	case !o.server && len(o.files) == 0:
		return errors.New("which files?")
	}
	for _, f := range o.files {
		if f == "" || strings.IndexByte(f, 0) >= 0 {
			return fmt.Errorf("%q is no file's name", f)
		}
	}
	return nil
}
