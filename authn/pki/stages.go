package pki

// Progress is how far one authority, or the keys of tokens, are in being replaced.
type Progress struct {
	Name  string `json:"name"`
	Stage Stage  `json:"stage"`
	Means string `json:"means"`
}

// Stages tells how far each is.
func (r Rotation) Stages() ([]Progress, error) {
	r.setDefaults()
	dir, err := existingDirectory(r.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.close()
	p := &PKI{options: Options{Now: r.Now}, dir: dir}
	h, err := p.peek()
	if err != nil {
		return nil, err
	}
	var all []Progress
	for _, a := range h.authorities {
		stage, _, err := dir.stage(a)
		if err != nil {
			return nil, err
		}
		all = append(all, Progress{a.name, stage, stage.means("authority")})
	}
	stage, _, err := dir.keyStage(h)
	if err != nil {
		return nil, err
	}
	return append(all, Progress{"sa", stage, stage.means("key")}), nil
}

func (s Stage) means(what string) string {
	switch s {
	case Trusted:
		return "the next " + what + " is trusted, the old one signs; rotate again when all have heard of it"
	case Issued:
		return "the next " + what + " signs, the old one is trusted still; rotate --finish when nobody goes by it any more"
	}
	return "there is one " + what
}
