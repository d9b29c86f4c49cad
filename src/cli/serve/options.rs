//! Where a setting comes from.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, bail};

use super::ServeArgs;

/// All settings, as flags, in files, and (in capitals, with `_` and `ROUNDELAY_` before) in the environment.
pub(super) const NAMES: [&str; 23] = [
    "listen",
    "advertise",
    "join",
    "cluster",
    "data-dir",
    "fsync",
    "replicas",
    "tokens",
    "place",
    "zone",
    "weight",
    "secret-file",
    "password-file",
    "tls-cert",
    "tls-key",
    "tls-ca",
    "tls-name",
    "cache",
    "max-memory",
    "max-value",
    "max-clients",
    "leave-on-exit",
    "farewell",
];

/// A setting that was given, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) text: String,
    pub(super) from: String,
}

/// The settings that were given, each by whoever has the last word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options(pub(super) BTreeMap<&'static str, Given>);

impl Options {
    /// Flags, then the environment, then the file.
    pub(super) fn gather(
        args: &ServeArgs,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Options> {
        let mut options = Options::default();
        if let Some(path) = &args.config {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the settings in {}", path.display()))?;
            options
                .take_file(&text, &path.display().to_string())
                .with_context(|| format!("cannot use the settings in {}", path.display()))?;
        }
        for name in NAMES {
            let variable = variable(name);
            if let Some(text) = environment(&variable) {
                options.put(name, text, variable);
            }
            if let Some(text) = args.flag(name) {
                options.put(name, text, format!("--{name}"));
            }
        }
        Ok(options)
    }

    fn put(&mut self, name: &'static str, text: String, from: String) {
        self.0.insert(name, Given { text, from });
    }

    fn take_file(&mut self, text: &str, path: &str) -> anyhow::Result<()> {
        let table: toml::Table = text.parse()?;
        for (key, value) in table {
            let Some(name) = NAMES.into_iter().find(|name| *name == key) else {
                bail!(
                    "there is no setting {key:?}; there are: {}",
                    NAMES.join(", ")
                );
            };
            let text = text_of(&value).with_context(|| format!("the setting {key:?}"))?;
            self.put(name, text, format!("{path}: {name}"));
        }
        Ok(())
    }

    /// What was given for a setting.
    pub(super) fn get(&self, name: &str) -> Option<&Given> {
        self.0.get(name)
    }

    /// As a file that can be read again; what is not in it has its default.
    pub(super) fn print(&self) -> String {
        let mut text = String::new();
        for name in NAMES {
            match self.get(name) {
                Some(Given { text: value, from }) => {
                    let value = toml::Value::String(value.clone());
                    let _ = writeln!(text, "{name} = {value}  # {from}");
                }
                None => {
                    let _ = writeln!(text, "# {name}: its default");
                }
            }
        }
        text
    }
}

/// A value in a file as it would be written behind a flag.
fn text_of(value: &toml::Value) -> anyhow::Result<String> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(yes) => yes.to_string(),
        toml::Value::Array(values) => {
            let texts: anyhow::Result<Vec<String>> = values.iter().map(text_of).collect();
            texts?.join(",")
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => {
            bail!("a text, a number, true, false, or a list of them, got {value}")
        }
    };
    Ok(text)
}

/// The environment's name of a setting.
fn variable(name: &str) -> String {
    format!("ROUNDELAY_{}", name.to_uppercase().replace('-', "_"))
}

impl ServeArgs {
    /// The text behind a flag.
    fn flag(&self, name: &str) -> Option<String> {
        match name {
            "listen" => self.listen.clone(),
            "advertise" => self.advertise.clone(),
            "join" => (!self.join.is_empty()).then(|| self.join.join(",")),
            "cluster" => self.cluster.clone(),
            "data-dir" => self.data_dir.clone(),
            "fsync" => self.fsync.clone(),
            "replicas" => self.replicas.clone(),
            "tokens" => self.tokens.clone(),
            "place" => self.place.clone(),
            "zone" => self.zone.clone(),
            "weight" => self.weight.clone(),
            "secret-file" => self.secret_file.clone(),
            "password-file" => self.password_file.clone(),
            "tls-cert" => self.tls_cert.clone(),
            "tls-key" => self.tls_key.clone(),
            "tls-ca" => self.tls_ca.clone(),
            "tls-name" => self.tls_name.clone(),
            "cache" => self.cache.clone(),
            "max-memory" => self.max_memory.clone(),
            "max-value" => self.max_value.clone(),
            "max-clients" => self.max_clients.clone(),
            "leave-on-exit" => self.leave_on_exit.then(|| "true".into()),
            "farewell" => self.farewell.clone(),
            other => unreachable!("{other} is no setting"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_beats_the_environment_and_that_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.toml");
        std::fs::write(
            &file,
            "fsync = \"never\"\ntokens = 8\nzone = \"north\"\njoin = [\"a:1\", \"b:2\"]\n",
        )
        .unwrap();
        let args = ServeArgs {
            fsync: Some("always".into()),
            config: Some(file),
            ..ServeArgs::default()
        };
        let environment = |name: &str| match name {
            "ROUNDELAY_FSYNC" => Some("everysec".into()),
            "ROUNDELAY_TOKENS" => Some("4".into()),
            _ => None,
        };
        let options = Options::gather(&args, &environment).unwrap();
        let told = |name: &str| options.get(name).map(|given| given.text.as_str());
        assert_eq!(told("fsync"), Some("always"));
        assert_eq!(told("tokens"), Some("4"));
        assert_eq!(told("zone"), Some("north"));
        assert_eq!(told("join"), Some("a:1,b:2"));
        assert_eq!(told("weight"), None);
        let mut again = Options::default();
        again.take_file(&options.print(), "printed").unwrap();
        let texts = |options: &Options| {
            let given = options.0.iter();
            let pairs = given.map(|(name, given)| (*name, given.text.clone()));
            pairs.collect::<Vec<_>>()
        };
        assert_eq!(
            texts(&again),
            texts(&options),
            "what is printed can be read"
        );
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Options::default()
            .take_file("fsynk = \"always\"", "x")
            .unwrap_err();
        assert!(error.to_string().contains("\"fsynk\""), "{error}");
        let error = Options::default()
            .take_file("tokens = 1.5", "x")
            .unwrap_err();
        assert!(format!("{error:#}").contains("\"tokens\""), "{error:#}");
    }
}
