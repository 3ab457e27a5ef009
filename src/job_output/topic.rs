//! A job's output in a topic.

use fleetstorm_answers::compare::Place;
use rdkafka::message::{BorrowedMessage, Message, Timestamp};

use super::key::{self, Key};
use super::value::{self, Schemas};
use super::{
    Content, DataFormat, DecodeError, JobOutputError, JobOutputOptions, JobRecord, Reach,
    WindowedKey, WrittenAt,
};
use crate::consume::Reader;
use crate::registry::Registry;
use crate::sink::kafka::Cluster;

/// A topic of rows.
pub struct TopicSource {
    name: String,
    reader: Reader,
    cluster: Cluster,
    /// Of each partition, the offset that is read next.
    next: Vec<Option<i64>>,
    decoder: Decoder,
}

/// How records become rows.
struct Decoder {
    value_format: DataFormat,
    key_format: DataFormat,
    windowed_key: Option<WindowedKey>,
    schemas: Schemas,
}

impl TopicSource {
    /// The topic, from its beginning.
    pub fn open(
        name: &str,
        options: &JobOutputOptions,
        reach: Reach<'_>,
    ) -> Result<TopicSource, JobOutputError> {
        let value_format = options.value_format.unwrap_or(DataFormat::Avro);
        if value_format == DataFormat::Csv {
            return Err(JobOutputError::TopicFormat);
        }
        let is_avro = [value_format, options.key_format].contains(&DataFormat::Avro);
        if is_avro && reach.registry.is_none() {
            return Err(JobOutputError::NoRegistry);
        }
        let brokers = reach.brokers.ok_or(JobOutputError::NoBrokers)?;
        let cluster = Cluster::connect(brokers, reach.stop.clone())?;
        if cluster.partitions(name)?.is_none() {
            return Err(JobOutputError::NoTopic(name.to_owned()));
        }
        Ok(TopicSource {
            name: name.to_owned(),
            reader: Reader::new(cluster.settings(), reach.stop)?,
            cluster,
            next: Vec::new(),
            decoder: Decoder {
                value_format,
                key_format: options.key_format,
                windowed_key: options.windowed_key,
                schemas: Schemas::default(),
            },
        })
    }

    /// Hands on the records that have come since.
    pub fn read(
        &mut self,
        registry: Option<&Registry>,
        each: &mut impl FnMut(JobRecord<'_>) -> Result<(), JobOutputError>,
    ) -> Result<(), JobOutputError> {
        let partitions = self.cluster.partitions(&self.name)?;
        let partitions = partitions.ok_or_else(|| JobOutputError::NoTopic(self.name.clone()))?;
        self.next.resize(partitions as usize, None);
        let mut ranges = self.reader.ends(&self.name, partitions)?;
        for (range, next) in ranges.iter_mut().zip(&mut self.next) {
            range.from = next.map_or(range.from, |next| next.max(range.from));
            *next = Some(range.to.max(range.from));
        }
        let decoder = &mut self.decoder;
        // The reader hands on messages, and knows nothing of what goes wrong with them.
        let mut failed: Option<JobOutputError> = None;
        self.reader.read(&self.name, &ranges, |message| {
            if failed.is_none() {
                let record = decoder.record(message, registry);
                failed = record.and_then(&mut *each).err();
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
}

impl Decoder {
    fn record<'a>(
        &mut self,
        message: &'a BorrowedMessage<'_>,
        registry: Option<&Registry>,
    ) -> Result<JobRecord<'a>, JobOutputError> {
        let written = match message.timestamp() {
            Timestamp::LogAppendTime(ms) => Some(WrittenAt::Appended(ms)),
            Timestamp::CreateTime(ms) => Some(WrittenAt::Created(ms)),
            Timestamp::NotAvailable => None,
        };
        let place = Place::Record { partition: message.partition(), offset: message.offset() };
        let content = match message.payload() {
            None => Ok(None),
            Some(value) => self.content(message.key(), value, registry)?.map(Some),
        };
        Ok(JobRecord { place, written, key: message.key(), content })
    }

    fn content(
        &mut self,
        key: Option<&[u8]>,
        value: &[u8],
        registry: Option<&Registry>,
    ) -> Result<Result<Content, DecodeError>, JobOutputError> {
        let value = match self.decode(self.value_format, value, registry)? {
            Ok(Key::Named(cells)) => cells,
            Ok(Key::Plain(cell)) => {
                return Ok(Err(DecodeError(format!("its value is no row: {}", cell.words()))));
            }
            Err(why) => return Ok(Err(DecodeError(format!("its value: {why}")))),
        };
        let mut content = Content { value, key: Vec::new(), plain_key: None, window: None };
        let Some(mut key) = key else { return Ok(Ok(content)) };
        if let Some(windowed) = self.windowed_key {
            match windowed.take(key) {
                Ok((base, window)) => (key, content.window) = (base, Some(window)),
                Err(why) => return Ok(Err(why)),
            }
        }
        match self.decode(self.key_format, key, registry)? {
            Ok(Key::Named(cells)) => content.key = cells,
            Ok(Key::Plain(cell)) => content.plain_key = Some(cell),
            // Who says nothing of keys may have all columns in the value.
            Err(_) if self.key_format == DataFormat::Text => {}
            Err(why) => return Ok(Err(DecodeError(format!("its key: {why}")))),
        }
        Ok(Ok(content))
    }

    fn decode(
        &mut self,
        format: DataFormat,
        bytes: &[u8],
        registry: Option<&Registry>,
    ) -> Result<Result<Key, DecodeError>, JobOutputError> {
        Ok(match format {
            DataFormat::Avro => self.schemas.decode(bytes, registry)?,
            DataFormat::Json => value::json(bytes),
            DataFormat::Text | DataFormat::Csv => key::text(bytes),
        })
    }
}
