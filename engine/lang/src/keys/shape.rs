//! Sections, and the shapes of values in them.

use super::Name;

macro_rules! sections {
    ($($(#[doc = $doc:literal])+ $name:ident = $noun:literal,)+) => {
        /// A map in which certain keys may stand.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Section {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Section {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Article and noun, for messages.
            #[must_use]
            pub fn noun(self) -> &'static str {
                match self {
                    $(Self::$name => $noun,)+
                }
            }
        }
    };
}

sections! {
    /// The top level of a runbook.
    Runbook = "a runbook",
    /// An input.
    Input = "an input",
    /// How a secret is made that nobody gives.
    Generate = "`generate`",
    /// Where hosts have a secret already.
    Adopt = "`adopt`",
    /// What shows that there was a secret before.
    Exists = "`exists`",
    /// A rule over inputs.
    Rule = "a rule",
    /// A group that the inventory must provide.
    Group = "a group",
    /// A variable that each host of a group must have.
    GroupVar = "a group variable",
    /// A variable that is computed.
    Var = "a computed variable",
    /// The time in which the run may happen.
    Window = "a window",
    /// A phase.
    Phase = "a phase",
    /// A phase, host by host.
    Rolling = "`rolling`",
    /// Another file as a phase.
    Import = "`import`",
    /// A step.
    Step = "a step",
    /// How apply is repeated.
    Retry = "`retry`",
    /// How a check is repeated.
    Until = "`until`",
    /// What is held until something releases it.
    Hold = "`hold`",
    /// The procedure of going back.
    Rollback = "`rollback`",
    /// The top level of an inventory.
    Inventory = "an inventory",
    /// A host of an inventory.
    InventoryHost = "a host",
    /// A group of an inventory.
    InventoryGroup = "a group of an inventory",
    /// How hosts are reached.
    Connection = "`connection`",
    /// The top level of a step type's file.
    Type = "a step type",
    /// The wanted content of a file, in a step type.
    Content = "`content`",
    /// A line of a file, in a content.
    Line = "`line`",
    /// Lines of a file between two marks, in a content.
    Block = "`block`",
    /// A parameter of a step type.
    Param = "a parameter",
    /// What a part of a parameter's value must be.
    Value = "a value",
    /// A rule over the parameters of a step type.
    TypeRule = "a rule of a step type",
    /// An output of a step type.
    Output = "an output",
    /// Default limits of a step type.
    TypeTimeout = "`timeout` of a step type",
    /// An example of a step type.
    Example = "an example",
    /// A test of a step type.
    TypeTest = "a test",
    /// What a command says in a test.
    Answer = "an answer",
    /// The top level of a file of scenarios.
    Scenarios = "a file of scenarios",
    /// A scenario.
    Scenario = "a scenario",
    /// What holds of a step in a scenario.
    Fact = "a fact",
    /// What must come of a scenario.
    Expected = "`expect`",
}

impl Section {
    /// Whether keys that begin with `x-` may stand in it, for people and for anchors.
    #[must_use]
    pub fn takes_extras(self) -> bool {
        matches!(self, Self::Runbook | Self::Inventory | Self::Type)
    }
}

/// What a value looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Any value.
    Any,
    /// A text.
    Text,
    /// A text or a whole number, taken as text.
    Label,
    /// A name that follows a rule.
    Name(Name),
    /// `true` or `false`.
    Bool,
    /// A whole number from the first to the second, both included.
    Int(i64, i64),
    /// A number, not less than this.
    Number(f64),
    /// A length of time.
    Duration,
    /// A condition in CEL.
    Condition,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A regular expression.
    Pattern,
    /// A number of hosts, or a percentage.
    Share,
    /// A list.
    List(&'static Shape),
    /// One, or a list.
    OneOrList(&'static Shape),
    /// A map with the keys of a section.
    Section(Section),
    /// A map from names to values of one shape.
    Map(Name, &'static Shape),
    /// A map from names to inputs, with the list `rules` among them.
    Inputs,
    /// `sudo` or `false`.
    Become,
}
