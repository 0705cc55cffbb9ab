//! Log lines for machines: one JSON object a line, flat, with the fields of the spans that the line stands in, so that every line of a
//! query has its `query_id`. What a line has itself wins over its spans, an inner span over an outer one.

use std::{
    fmt,
    io::{self, Write},
};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    fmt::{
        MakeWriter,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::Context,
    registry::LookupSpan,
};

/// Writes events as lines of JSON.
#[derive(Debug)]
pub(super) struct JsonLines<W> {
    writer: W,
}

impl<W> JsonLines<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer }
    }
}

/// The fields of a span or an event.
#[derive(Debug, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.set(field, value.to_string().into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }
}

/// Now, in RFC 3339 and UTC, as the text format has it.
fn timestamp() -> Option<String> {
    let mut text = String::new();
    SystemTime.format_time(&mut Writer::new(&mut text)).ok()?;
    Some(text)
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().replace(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Fields::default();
        let mut innermost = None;
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.0.extend(fields.0.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            innermost = Some(span.name());
        }
        event.record(&mut line);
        let Fields(mut line) = line;
        // These names are the log's own.
        line.extend(innermost.map(|name| ("span".to_owned(), name.into())));
        line.extend(timestamp().map(|time| ("timestamp".to_owned(), time.into())));
        line.insert("level".to_owned(), event.metadata().level().as_str().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // Whoever closed the log wants no more of it.
        let _: io::Result<()> = self.writer.make_writer().write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::field::Empty;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = tracing_subscriber::registry().with(JsonLines::new(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_line_of_a_query_has_its_id() {
        let lines = lines(|| {
            let span = tracing::info_span!("rpc", method = "DoGet", user = %"ada", query_id = Empty);
            let _entered = span.enter();
            tracing::info!("before");
            span.record("query_id", "0192");
            tracing::warn!(bytes = 7_u64, ratio = 0.5, done = true, "a \"quoted\"\nline");
            tracing::info_span!("read", user = "grace").in_scope(|| tracing::error!(error = %"boom", "after"));
        });
        assert_eq!((&lines[0]["message"], &lines[0]["query_id"]), (&"before".into(), &Value::Null));
        let line = &lines[1];
        assert_eq!((&line["query_id"], &line["user"], &line["method"]), (&"0192".into(), &"ada".into(), &"DoGet".into()));
        assert_eq!((&line["bytes"], &line["ratio"], &line["done"]), (&7.into(), &0.5.into(), &true.into()));
        assert_eq!(
            (&line["message"], &line["level"], &line["span"]),
            (&"a \"quoted\"\nline".into(), &"WARN".into(), &"rpc".into())
        );
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z') && line["target"].as_str().unwrap().contains("telemetry"));
        let line = &lines[2];
        assert_eq!((&line["query_id"], &line["user"], &line["span"]), (&"0192".into(), &"grace".into(), &"read".into()));
    }

    #[test]
    fn the_logs_own_names_cannot_be_taken() {
        let lines = lines(|| tracing::info!(level = "nonsense", timestamp = 1_u64, "x"));
        assert_eq!(lines[0]["level"], "INFO");
        assert!(lines[0]["timestamp"].is_string());
    }
}
