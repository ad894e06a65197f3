//! Keys of inventories and of step types.

use super::shape::{Section as S, Shape};
use super::{Key, Name, key, required};

const SHAPES: &[&str] = &[
    "string", "int", "bool", "enum", "path", "duration", "size", "list", "map", "json",
];
const ELEMENTS: &[&str] = &["string"];
const OUTPUTS: &[&str] = &["string", "int", "bool", "json", "list"];
const IN_DOUBT: &[&str] = &["check", "ask"];

const VARIABLES: Shape = Shape::Map(Name::Id, &Shape::Any);
const TEXTS: Shape = Shape::List(&Shape::Text);

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    required(key(S::Inventory, "hosts", Shape::Map(Name::Host, &Shape::Section(S::InventoryHost)), "All hosts by name.", "{ db01: { address: 10.0.0.10 } }")),
    key(S::Inventory, "groups", Shape::Map(Name::Id, &Shape::Section(S::InventoryGroup)), "Groups of hosts by name.", "{ quay: { hosts: [quay01, quay02] } }"),
    key(S::Inventory, "vars", VARIABLES, "Variables of all hosts.", "{ site: north }"),
    key(S::Inventory, "connection", Shape::Section(S::Connection), "How all hosts are reached.", "{ user: operator }"),
    key(S::Inventory, "become", Shape::Become, "Who steps are on the hosts: `sudo` for root, `false` for the account that logs in.", "sudo"),

    key(S::InventoryHost, "address", Shape::Text, "Where it is reached; its name unless given.", "10.0.0.10"),
    key(S::InventoryHost, "port", Shape::Int(1, 65_535), "The port of its SSH server.", "22"),
    key(S::InventoryHost, "user", Shape::Text, "The account that logs in.", "operator"),
    key(S::InventoryHost, "vars", VARIABLES, "Its variables.", "{ region: a }"),
    key(S::InventoryHost, "connection", Shape::Section(S::Connection), "How it is reached.", "{ user: operator }"),
    key(S::InventoryHost, "become", Shape::Become, "Who steps are on it.", "false"),

    key(S::InventoryGroup, "hosts", Shape::List(&Shape::Name(Name::Host)), "Its hosts, in order.", "[quay01, quay02]"),
    key(S::InventoryGroup, "children", Shape::List(&Shape::Name(Name::Id)), "Groups whose hosts belong to it as well.", "[quay, mirror]"),
    key(S::InventoryGroup, "vars", VARIABLES, "Variables of its hosts.", "{ region: a }"),

    key(S::Connection, "user", Shape::Text, "The account that logs in.", "operator"),
    key(S::Connection, "port", Shape::Int(1, 65_535), "The port of the SSH server.", "22"),
    key(S::Connection, "ssh_config", Shape::Text, "A configuration file for `ssh`, relative to the inventory.", "ssh_config"),

    required(key(S::Type, "type", Shape::Name(Name::Type), "Its name, the same as the stem of its file.", "podman.image")),
    required(key(S::Type, "summary", Shape::Text, "What it is about, in one line.", "An image in the storage of this host")),
    key(S::Type, "doc", Shape::Text, "More about it, as Markdown.", "It pulls by digest."),
    key(S::Type, "params", Shape::Map(Name::Param, &Shape::Section(S::Param)), "Its parameters.", "{ image: { type: string, required: true } }"),
    key(S::Type, "rules", Shape::List(&Shape::Section(S::TypeRule)), "What must be true of its parameters together.", "[{ check: 'has(params.creates) || has(params.unless)', message: say when it is done }]"),
    key(S::Type, "outputs", Shape::Map(Name::Id, &Shape::Section(S::Output)), "Its outputs.", "{ digest: { type: string } }"),
    key(S::Type, "probe", Shape::Bool, "It only looks.", "true"),
    key(S::Type, "always", Shape::Bool, "There is no meaningful check: it runs every time.", "true"),
    key(S::Type, "reads", TEXTS, "Resource keys that its check reads.", "['file:{{path}}']"),
    key(S::Type, "writes", TEXTS, "Resource keys that its apply writes.", "['file:{{path}}']"),
    key(S::Type, "volatile", Shape::Bool, "A verdict of its check must not be reused.", "true"),
    key(S::Type, "restarts_host", Shape::Bool, "Its apply restarts the host, which is waited for as long as an apply may take; its checks after that have the boot id from before as `before_boot`.", "true"),
    key(S::Type, "progress", Shape::Text, "A regular expression for lines of its output that say how far it is: while it runs, the part in parentheses is shown with the number of such lines. Literal, or exactly one parameter.", "'^TASK \\[(.*)\\]'"),
    key(S::Type, "in_doubt", Shape::Choice(IN_DOUBT), "Whether the check can tell that an interrupted apply completed.", "check"),
    key(S::Type, "timeout", Shape::Section(S::TypeTimeout), "Its limits, unless a step says otherwise.", "{ check: 30s, apply: 5m }"),
    key(S::Type, "functions", Shape::Text, "Shell functions that its scripts share.", "'now() { date +%s; }'"),
    key(S::Type, "check", Shape::Text, "A script that looks and changes nothing.", "'have podman'"),
    key(S::Type, "apply", Shape::Text, "A script that changes.", "'podman pull \"$image\"'"),
    key(S::Type, "undo", Shape::Text, "A script that takes the change back.", "'podman rmi \"$image\"'"),
    key(S::Type, "examples", Shape::List(&Shape::Section(S::Example)), "How it is used.", "[{ title: By digest, with: { image: a } }]"),
    key(S::Type, "content", Shape::Section(S::Content), "The wanted content of a file, compared and swapped by the engine; such a type has no scripts.", "{ path: '{{path}}', text: '{{text}}' }"),
    key(S::Type, "tests", Shape::List(&Shape::Section(S::TypeTest)), "Tests: what commands say, and what must come of it.", "[{ test: it is there, check: satisfied }]"),

    required(key(S::Content, "path", Shape::Text, "The file.", "'{{path}}'")),
    key(S::Content, "text", Shape::Any, "Its whole text, or a list of which the first that is given counts; instead of it, one of the changes below.", "'{{text}}'"),
    key(S::Content, "yaml", Shape::Any, "All of its YAML, as a map or a list of maps of which the later win.", "'{{values}}'"),
    key(S::Content, "owner", Shape::Text, "Its owner; kept unless given.", "'{{owner}}'"),
    key(S::Content, "group", Shape::Text, "Its group; kept unless given.", "'{{group}}'"),
    key(S::Content, "mode", Shape::Text, "Its mode in octal digits; kept unless given.", "'0644'"),
    key(S::Content, "create_only", Shape::Any, "A file that is there is left as it is.", "true"),
    key(S::Content, "validate", Shape::Any, "The words of a command that looks at the new file, `{}`, before it counts.", "[visudo, -cf, '{}']"),
    key(S::Content, "merge_yaml", Shape::Any, "Keys of a YAML file; everything else in it is kept as it is.", "'{{values}}'"),
    key(S::Content, "merge_json", Shape::Any, "Keys of a JSON file; everything else in it is kept as it is.", "'{{values}}'"),
    key(S::Content, "set_ini", Shape::Any, "Keys of an INI file, by section; everything else in it is kept as it is.", "{ main: { key: '{{value}}' } }"),
    key(S::Content, "line", Shape::Section(S::Line), "A line that is in the file, or is not.", "{ text: '{{text}}' }"),
    key(S::Content, "block", Shape::Section(S::Block), "Lines that are in the file between two marks, or are not.", "{ name: '{{name}}', text: '{{text}}' }"),

    key(S::Line, "text", Shape::Text, "The line, without its end.", "'{{text}}'"),
    key(S::Line, "match", Shape::Text, "A regular expression for the line that it replaces; with `absent`, for those that are taken out.", "'^#?Port '"),
    key(S::Line, "after", Shape::Text, "A regular expression: a new one goes below the last line that it matches.", "'^# ports'"),
    key(S::Line, "before", Shape::Text, "A regular expression: a new one goes above the first line that it matches.", "'^Match '"),
    key(S::Line, "state", Shape::Text, "Whether it is there: `present`, unless it is `absent`.", "absent"),

    required(key(S::Block, "name", Shape::Text, "The name in the marks, `# BEGIN name` and `# END name`.", "'{{name}}'")),
    key(S::Block, "text", Shape::Text, "The lines between the marks.", "'{{text}}'"),
    key(S::Block, "comment", Shape::Text, "What a mark begins with, so that it is a comment of the file; `#` unless given.", "';'"),
    key(S::Block, "after", Shape::Text, "A regular expression: a new one goes below the last line that it matches.", "'^# ports'"),
    key(S::Block, "before", Shape::Text, "A regular expression: a new one goes above the first line that it matches.", "'^Match '"),
    key(S::Block, "state", Shape::Text, "Whether it is there: `present`, unless it is `absent`.", "absent"),

    required(key(S::Param, "type", Shape::Choice(SHAPES), "What kind of value it is.", "string")),
    key(S::Param, "of", Shape::Choice(ELEMENTS), "What a list or a map holds; texts.", "string"),
    key(S::Param, "required", Shape::Bool, "It must be given.", "true"),
    key(S::Param, "default", Shape::Any, "What it is when nothing is given.", "public"),
    key(S::Param, "help", Shape::Text, "What to give, in one line.", "the image, with its digest"),
    key(S::Param, "values", Shape::List(&Shape::Text), "The words of an enum.", "[open, closed]"),
    key(S::Param, "pattern", Shape::Pattern, "A regular expression that the text, or each text of a list or map, matches.", "'^[a-z]+$'"),
    key(S::Param, "schema", Shape::Section(S::Value), "What a `json` value must be, part by part.", "{ type: object, fields: { host: { type: string, required: true } } }"),
    key(S::Param, "secret", Shape::Bool, "It is never shown, stored or put on a command line.", "true"),

    required(key(S::TypeRule, "check", Shape::Condition, "A condition over `params`.", "'params.port > 1023'")),
    required(key(S::TypeRule, "message", Shape::Text, "What to say when it is false.", "ports below 1024 are the system's")),

    required(key(S::Output, "type", Shape::Choice(OUTPUTS), "What kind of value it is.", "string")),
    key(S::Output, "help", Shape::Text, "What it is, in one line.", "the revision of the schema"),
    key(S::Output, "secret", Shape::Bool, "It is not journaled.", "true"),

    key(S::TypeTimeout, "check", Shape::Duration, "The limit of one check; 30 s unless given.", "30s"),
    key(S::TypeTimeout, "apply", Shape::Duration, "The limit of one apply; 10 m unless given.", "5m"),

    required(key(S::Example, "title", Shape::Text, "What it shows.", "By digest")),
    required(key(S::Example, "with", Shape::Map(Name::Param, &Shape::Any), "The parameters.", "{ image: a }")),
];
