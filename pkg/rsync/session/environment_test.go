package session

import "testing"

func TestEnvironmentLists(t *testing.T) {
	for _, c := range []struct {
		text   string
		server bool
		want   string
		fails  bool
	}{
		{"", false, "", false},
		{"  ", true, "", false},
		{"MD5 xxh3 auto nosuch md5", false, "md5 xxh3", false},
		{"md4 & sha1 none", false, "md4", false},
		{"md4 & sha1 none", true, "sha1 none", false},
		{"md4&", true, "", false},
		{"auto nosuch", false, "", true},
	} {
		env := func(name string) string {
			if name == "RSYNC_CHECKSUM_LIST" {
				return c.text
			}
			return "lz4 & zlibx"
		}
		sums, zips, err := EnvironmentLists(env, c.server)
		if sums != c.want || (err != nil) != c.fails {
			t.Errorf("%q, server %v: %q, %v", c.text, c.server, sums, err)
		}
		if want := map[bool]string{false: "lz4", true: "zlibx"}[c.server]; err == nil && zips != want {
			t.Errorf("compressors for server %v: %q", c.server, zips)
		}
	}
}
