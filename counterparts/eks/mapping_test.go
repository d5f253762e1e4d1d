package eks

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewIdentity(t *testing.T) {
	for arn, test := range map[string]struct {
		userID               string
		canonical, user, ses string
		problem              string
	}{
		"arn:aws:iam::123456789012:root":                            {"123456789012", "", "123456789012", "", ""},
		"arn:aws:iam::123456789012:user/team/Bob":                   {"AIDABOB", "", "AIDABOB", "", ""},
		"arn:aws:sts::123456789012:federated-user/Bob":              {"123456789012:Bob", "", "123456789012:Bob", "", ""},
		"arn:aws:sts::123456789012:assumed-role/Accounting/Mary":    {"AROAACC:Mary", "arn:aws:iam::123456789012:role/Accounting", "AROAACC", "Mary", ""},
		"arn:aws:sts::123456789012:assumed-role/on/path/Mary":       {"AROAACC:Mary", "arn:aws:iam::123456789012:role/on/path", "AROAACC", "Mary", ""},
		"arn:aws:sts::123456789012:assumed-role/Accounting":         {"AROAACC:Mary", "", "", "", "does not have a role"},
		"arn:aws:sts::123456789012:assumed-role/Accounting/NoUser":  {"AROAACC", "", "", "", "malformed UserID"},
		"arn:aws:sts::123456789012:assumed-role/Accounting/TwoUser": {"AROAACC:a:b", "", "", "", "malformed UserID"},
		"arn:aws:iam::123456789012:group/admins":                    {"AGPA", "", "", "", "not a valid one for identities"},
		"arn:aws:s3:::bucket":                                       {"x", "", "", "", "not a valid one for identities"},
		"arn:azure:iam::123456789012:user/Bob":                      {"x", "", "", "", "is invalid"},
		"user/Bob":                                                  {"x", "", "", "", "is invalid"},
	} {
		t.Run(arn, func(t *testing.T) {
			id, err := newIdentity(arn, "123456789012", test.userID, "AKIA")
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("%v, want %q", err, test.problem)
				}
				return
			}
			want := &Identity{ARN: arn, CanonicalARN: test.canonical, AccountID: "123456789012", UserID: test.user, SessionName: test.ses, AccessKeyID: "AKIA"}
			if want.CanonicalARN == "" {
				want.CanonicalARN = arn
			}
			if diff := cmp.Diff(want, id); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func session(name string) *Identity {
	return &Identity{CanonicalARN: "arn:aws:iam::123456789012:role/nodes", AccountID: "123456789012", SessionName: name, AccessKeyID: "ASIAKEY"}
}

func TestAWSAuth_Resolve(t *testing.T) {
	const role = "[{rolearn: 'arn:aws:iam::123456789012:role/nodes', username: '%', groups: ['g:%']}]"
	instance := session("i-0123456789abcdef0")
	for name, test := range map[string]struct {
		data           map[string]string
		id             *Identity
		user, problem  string
		groups         []string
		partlyReadable bool
	}{
		"a node": {map[string]string{"mapRoles": strings.ReplaceAll(role, "%", "system:node:{{EC2PrivateDNSName}}")}, instance,
			"system:node:i-0123456789abcdef0.ec2.internal", "", []string{"g:system:node:i-0123456789abcdef0.ec2.internal"}, false},
		"a session that is no instance, for a node": {map[string]string{"mapRoles": strings.ReplaceAll(role, "%", "{{EC2PrivateDNSName}}")}, session("i-am-a-node"),
			"", "SessionName did not contain an instance id", nil, false},
		"account, key and session": {map[string]string{"mapRoles": strings.ReplaceAll(role, "%", "{{AccountID}}:{{AccessKeyID}}:{{SessionName}}:{{SessionNameRaw}}")}, session("a@b"),
			"123456789012:ASIAKEY:a-b:a@b", "", []string{"g:123456789012:ASIAKEY:a-b:a@b"}, false},
		"a session called like a template": {map[string]string{"mapRoles": strings.ReplaceAll(role, "%", "{{SessionNameRaw}}")}, session("{{AccountID}}"),
			"{{AccountID}}", "", []string{"g:{{AccountID}}"}, false},
		"an ARN in other capitals":              {map[string]string{"mapRoles": strings.ReplaceAll(strings.Replace(role, "nodes", "Nodes", 1), "%", "x")}, instance, "x", "", []string{"g:x"}, false},
		"of two entries the later":              {map[string]string{"mapUsers": "[{userarn: 'arn:aws:iam::123456789012:role/nodes', username: a}, {userarn: 'arn:aws:iam::123456789012:role/nodes', username: b}]"}, instance, "b", "", nil, false},
		"roles before users":                    {map[string]string{"mapRoles": strings.ReplaceAll(role, "%", "x"), "mapUsers": "[{userarn: 'arn:aws:iam::123456789012:role/nodes', username: b}]"}, instance, "x", "", []string{"g:x"}, false},
		"a whole account":                       {map[string]string{"mapAccounts": "['123456789012']"}, instance, "arn:aws:iam::123456789012:role/nodes", "", nil, false},
		"another account":                       {map[string]string{"mapAccounts": "['123456789013']"}, instance, "", "ARN is not mapped: arn:aws:iam::123456789012:role/nodes is in neither", nil, false},
		"nobody":                                {nil, instance, "", "ARN is not mapped", nil, false},
		"empty lists":                           {map[string]string{"mapRoles": " ", "mapUsers": `""`}, instance, "", "ARN is not mapped", nil, true},
		"no name":                               {map[string]string{"mapRoles": strings.ReplaceAll(role, "username: '%',", "")}, instance, "", "to no username", nil, false},
		"one list that is none, and a good one": {map[string]string{"mapUsers": "hello", "mapRoles": strings.ReplaceAll(role, "%", "x")}, instance, "x", "", []string{"g:x"}, true},
		"an entry of nobody":                    {map[string]string{"mapRoles": "[{username: x}]"}, &Identity{}, "", "ARN is not mapped", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := parseAWSAuth(test.data)
			if (err != nil) != test.partlyReadable {
				t.Fatalf("read with %v", err)
			}
			user, groups, err := m.resolve(test.id)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("%v, want %q", err, test.problem)
				}
				return
			}
			if diff := cmp.Diff(test.groups, groups); diff != "" || err != nil || user != test.user {
				t.Errorf("%q, %v, want %q (-want +got):\n%s", user, err, test.user, diff)
			}
		})
	}
}

func FuzzAWSAuth(f *testing.F) {
	f.Add("[{rolearn: 'arn:aws:iam::123456789012:role/nodes', username: '{{SessionName}}', groups: [a]}]", "[{userarn: x}]", "['1']", "i-0123456789abcdef0")
	f.Fuzz(func(t *testing.T, roles, users, accounts, name string) {
		m, _ := parseAWSAuth(map[string]string{"mapRoles": roles, "mapUsers": users, "mapAccounts": accounts})
		stranger := &Identity{CanonicalARN: "arn:aws:iam::999999999999:user/nobody-of-this-name", AccountID: "999999999999x", SessionName: name}
		if user, _, err := m.resolve(stranger); err == nil && !strings.Contains(strings.ToLower(roles+users), "nobody-of-this-name") && !strings.Contains(roles+users+accounts, `\`) {
			t.Errorf("a stranger is %q", user)
		}
		if user, _, err := m.resolve(session(name)); err == nil && user == "" {
			t.Error("somebody without a name is let in")
		}
	})
}
