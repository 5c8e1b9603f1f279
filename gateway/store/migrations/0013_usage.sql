-- What each holder has of each quota, counted in the transaction that changes it: a check looks at one row however many
-- resources there are. A holder is a project or a host: project/NAME, host/NAME.
CREATE TABLE usage (
    holder TEXT NOT NULL,
    quota TEXT NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (holder, quota)
) WITHOUT ROWID;
-- What an admin has set for one holder, in place of the configuration's defaults; NULL is without limit.
CREATE TABLE allowances (
    holder TEXT NOT NULL,
    quota TEXT NOT NULL,
    allowed INTEGER,
    PRIMARY KEY (holder, quota)
) WITHOUT ROWID;
-- By which measures, and in which form of the store, the usage was counted: by others it is counted anew.
CREATE TABLE usage_form (form INTEGER NOT NULL);
