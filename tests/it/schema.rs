//! JSON Schema as far as `docs/openapi.json` and `docs/asyncapi.json` use it. A keyword that is not known here is an error,
//! so that nothing is taken for checked that is not.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

/// A document of the interface.
pub(crate) struct Document(Value);

/// Keywords that say nothing about what is valid.
const REMARKS: &[&str] = &["description", "example"];

impl Document {
    pub(crate) fn read(path: &str) -> Self {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    /// Whether the value is one of the schema of that name; else where and why not.
    pub(crate) fn validate(&self, schema: &str, value: &Value) -> Result<(), String> {
        let pointer = format!("/components/schemas/{schema}");
        let schema = self.0.pointer(&pointer).unwrap_or_else(|| panic!("there is no {pointer}"));
        self.check(schema, value, "$")
    }

    /// Names of the properties of the schema of that name.
    pub(crate) fn properties(&self, schema: &str) -> BTreeSet<String> {
        let properties = &self.0["components"]["schemas"][schema]["properties"];
        properties.as_object().expect("the schema is one of a map").keys().cloned().collect()
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        for (keyword, says) in schema.as_object().expect("a schema is a map") {
            let wrong = |why: String| Err(format!("{at}: {value} {why}"));
            let list = || says.as_array().expect("a list");
            let fits = |schema: &&Value| self.check(schema, value, at).is_ok();
            match keyword.as_str() {
                "$ref" => {
                    let pointer = says.as_str().and_then(|text| text.strip_prefix('#')).unwrap();
                    self.check(self.0.pointer(pointer).unwrap(), value, at)?;
                }
                "oneOf" if list().iter().filter(fits).count() != 1 => {
                    return wrong("is not one of the alternatives".into());
                }
                "type" if !has_type(says, value) => return wrong(format!("is no {says}")),
                "const" if says != value => return wrong(format!("is not {says}")),
                "enum" if !list().contains(value) => return wrong(format!("is none of {says}")),
                "minimum" if value.as_f64() < says.as_f64() => return wrong(format!("is below {says}")),
                "required" => {
                    let missing = list().iter().find(|key| value.get(key.as_str().unwrap()).is_none());
                    if let Some(key) = missing {
                        return wrong(format!("has no {key}"));
                    }
                }
                "properties" => {
                    for (key, schema) in says.as_object().unwrap() {
                        if let Some(value) = value.get(key) {
                            self.check(schema, value, &format!("{at}.{key}"))?;
                        }
                    }
                }
                "additionalProperties" if says.is_object() => {
                    let known = schema.get("properties");
                    for (key, value) in value.as_object().into_iter().flatten() {
                        if known.is_none_or(|known| known.get(key).is_none()) {
                            self.check(says, value, &format!("{at}.{key}"))?;
                        }
                    }
                }
                "additionalProperties" if says.is_boolean() => {
                    return Err(format!("{at}: not known to this test"));
                }
                "items" => {
                    for (i, value) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(says, value, &format!("{at}[{i}]"))?;
                    }
                }
                "maxItems" if value.as_array().map_or(0, Vec::len) as u64 > says.as_u64().unwrap() => {
                    return wrong(format!("has more than {says}"));
                }
                "prefixItems" => {
                    for (i, (value, schema)) in value.as_array().into_iter().flatten().zip(list()).enumerate()
                    {
                        self.check(schema, value, &format!("{at}[{i}]"))?;
                    }
                }
                "pattern" => matches_pattern(says.as_str().unwrap(), value).or_else(wrong)?,
                "minLength" | "maxLength" => within_length(keyword, says, value).or_else(wrong)?,
                "oneOf" | "type" | "const" | "enum" | "minimum" | "maxItems" | "additionalProperties" => {}
                remark if REMARKS.contains(&remark) => {}
                unknown => return Err(format!("{at}: the keyword {unknown} is not known to this test")),
            }
        }
        Ok(())
    }
}

fn has_type(says: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        other => panic!("the type {other} is not known to this test"),
    };
    says.as_array().map_or_else(|| is(says), |names| names.iter().any(is))
}

fn within_length(keyword: &str, says: &Value, value: &Value) -> Result<(), String> {
    let length = value.as_str().map_or(0, |text| text.chars().count() as u64);
    let fits = if keyword == "minLength" {
        length >= says.as_u64().unwrap()
    } else {
        length <= says.as_u64().unwrap()
    };
    if fits || !value.is_string() { Ok(()) } else { Err(format!("breaks {keyword} {says}")) }
}

/// The two patterns there are: what a symbol and what a decimal is made of.
fn matches_pattern(pattern: &str, value: &Value) -> Result<(), String> {
    let Some(text) = value.as_str() else { return Ok(()) };
    let matches = if pattern.contains("A-Z") {
        tickcast::market::Symbol::new(text).is_ok()
    } else {
        text.parse::<f64>().is_ok()
    };
    if matches { Ok(()) } else { Err(format!("does not match {pattern}")) }
}
