//! Stable names of mistakes: people search for them, tests and tools compare them.

use std::fmt;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// The kind of a mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The stable text.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("lang::", $text),)+
                }
            }

            /// What it means, a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

codes! {
    /// A file is larger than what is read.
    TooLarge = "too_large",
    /// A file or a quoted text holds what no text has.
    NotText = "not_text",
    /// The text is not YAML.
    Syntax = "syntax",
    /// Nested deeper than anybody reads.
    TooDeep = "too_deep",
    /// More values than the budget, usually through aliases of aliases.
    TooMany = "too_many",
    /// A key stands twice in one map.
    DuplicateKey = "duplicate_key",
    /// A key is not a text.
    BadKey = "bad_key",
    /// A tag (`!something`).
    Tag = "tag",
    /// A second document in the same file.
    SecondDocument = "second_document",
    /// A template without quotes is a map for YAML.
    UnquotedTemplate = "unquoted_template",
    /// An alias without its anchor.
    UnknownAnchor = "unknown_anchor",
    /// `<<` with something that is not a map.
    BadMerge = "bad_merge",
    /// A file of another kind.
    WrongFile = "wrong_file",
    /// A value of the wrong type.
    WrongType = "wrong_type",
    /// A key that nobody knows.
    UnknownKey = "unknown_key",
    /// A key that must be there.
    MissingKey = "missing_key",
    /// Something that the language will have.
    NotSupportedYet = "not_supported_yet",
    /// A name that breaks its rule.
    BadName = "bad_name",
    /// A value of the right type that is out of its range.
    BadValue = "bad_value",
    /// Two things of one name.
    DuplicateId = "duplicate_id",
    /// Keys that do not go together.
    Conflict = "conflict",
    /// A template where only a plain value may be.
    NoTemplateHere = "no_template_here",
    /// A group of the inventory names a host or a group that is not there.
    UnknownMember = "unknown_member",
    /// Groups that contain each other.
    GroupCycle = "group_cycle",
    /// Two groups give one variable of a host different values.
    VarConflict = "var_conflict",
    /// A step type that nobody knows.
    UnknownType = "unknown_type",
    /// A step type with the name of another one.
    ShadowedType = "shadowed_type",
    /// A parameter that the step type does not have.
    UnknownParameter = "unknown_parameter",
    /// A parameter that the step type must have.
    MissingParameter = "missing_parameter",
    /// A parameter with a value that its schema refuses.
    BadParameter = "bad_parameter",
    /// A group that the inventory does not have.
    MissingGroup = "missing_group",
    /// A group with fewer or more hosts than wanted.
    GroupSize = "group_size",
    /// A host without a variable that its group wants, or with a bad one.
    HostVar = "host_var",
    /// An input that the runbook does not have.
    UnknownInput = "unknown_input",
    /// An input that must be given.
    MissingInput = "missing_input",
    /// An input with a value that its type refuses.
    BadInput = "bad_input",
    /// A rule over the inputs does not hold.
    RuleBroken = "rule_broken",
    /// A selector that selects nothing known.
    BadSelector = "bad_selector",
    /// A name in a template or a condition that nothing has.
    UnknownName = "unknown_name",
    /// A template that cannot be read.
    BadTemplate = "bad_template",
    /// A condition that cannot be read.
    BadCondition = "bad_condition",
    /// Outputs are read before they are there.
    NotAnAncestor = "not_an_ancestor",
    /// Outputs are read of a step that may be skipped, without a default.
    MayBeSkipped = "may_be_skipped",
    /// One instance is meant, and there are none or several.
    NotSingle = "not_single",
    /// A secret goes where it could be seen.
    SecretLeak = "secret_leak",
    /// Things that wait for each other.
    Cycle = "cycle",
    /// Another runbook that cannot be imported.
    BadImport = "bad_import",
    /// Two steps want one resource in different states, and nothing asks what is there.
    TwoStates = "two_states",
    /// A step holds what it did, and nothing that would release it runs.
    NeverReleased = "never_released",
    /// An outage begins and never ends.
    OpenOutage = "open_outage",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
