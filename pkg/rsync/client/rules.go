package client

import (
	"strings"

	"github.com/empegsync/empegsync/pkg/rsync/filter"
	"github.com/empegsync/empegsync/pkg/rsync/options"
	"github.com/empegsync/empegsync/pkg/rsync/proto"
	"github.com/empegsync/empegsync/pkg/rsync/server"
	"github.com/empegsync/empegsync/pkg/rsync/session"
	"github.com/empegsync/empegsync/pkg/rsync/wire"
)

func (c *Client) readFile(name string) ([]byte, error) {
	if c.ReadFile != nil {
		return c.ReadFile(name)
	}
	return server.ReadRuleFile(name, server.Operator(c.Options))
}

// readMerge reads a file that a rule names, with a code of its own for errors.
func (c *Client) readMerge(name string) ([]byte, error) {
	text, err := c.readFile(name)
	return text, proto.Fail(proto.ExitFileIO, err)
}

// addFile adds the rules of a file.
func (c *Client) addFile(name string, add func(name string, text []byte) error) error {
	text, err := c.readFile(name)
	if err != nil {
		return proto.Failf(proto.ExitFileIO, "failed to open file of rules: %w", err)
	}
	return add(name, text)
}

// rules reads the filter options.
func (c *Client) rules() (*filter.Rules, error) {
	rules := filter.New(filter.Options{
		DeleteExcluded: c.Options.DeleteExcluded, ReadMerge: c.readMerge, NULLines: c.Options.From0,
		CVSIgnore: server.CVSIgnore(server.Operator(c.Options)),
	})
	for _, r := range c.Options.Rules {
		var err error
		switch r.Kind {
		case options.RuleFilter:
			err = rules.Add(r.Text)
		case options.RuleExclude:
			err = rules.AddExclude(r.Text)
		case options.RuleInclude:
			err = rules.AddInclude(r.Text)
		case options.RuleExcludeFrom:
			err = c.addFile(r.Text, rules.AddExcludeFile)
		case options.RuleIncludeFrom:
			err = c.addFile(r.Text, rules.AddIncludeFile)
		}
		if err != nil {
			return nil, proto.Fail(proto.ExitSyntax, err)
		}
	}
	if o := c.Options; o.Backup && o.BackupDir == "" && o.Delete != options.DeleteNone && !o.DeleteExcluded {
		// Backups beside their files are not extraneous (options.c:parse_arguments).
		if err := rules.Add("P *" + o.Suffix); err != nil {
			return nil, proto.Fail(proto.ExitSyntax, err)
		}
	}
	return rules, nil
}

// sendRules tells the server the rules that concern it, if it wants to know
// (exclude.c:send_filter_list).
func (c *Client) sendRules(w *wire.Writer, caps proto.Caps, rules *filter.Rules, push bool) error {
	if dir := c.Options.KeepDir(); dir != "" && !strings.HasPrefix(dir, "/") {
		// Partial files are nobody else's business (compat.c:setup_protocol).
		rule := "-p "
		if push && !caps.CompatFlags {
			rule = "- "
		}
		if err := rules.Add(rule + dir + "/"); err != nil {
			return proto.Fail(proto.ExitSyntax, err)
		}
	}
	if err := session.AddCVSToSend(caps, c.Options, push, rules); err != nil {
		return proto.Fail(proto.ExitSyntax, err)
	}
	// What an old version cannot be told is an error even where it need not
	// know: nobody should find out by adding --delete.
	b, err := rules.ForPeer(!push).AppendList(nil, session.Dialect(caps), !push)
	if err != nil {
		return proto.Fail(proto.ExitProtocol, err)
	}
	if !push || session.ReceiverWantsRules(caps, c.Options) {
		_, _ = w.Write(b) // an error comes again
	}
	if err := session.AddCVSAfter(caps, c.Options, push, rules); err != nil {
		return proto.Fail(proto.ExitSyntax, err)
	}
	if err := w.Flush(); !proto.IsGone(err) {
		return err
	}
	return nil // what the server has said before it went will be read
}
