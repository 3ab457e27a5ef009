//! InitProducerId: who writes with a sequence.

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::Context;

pub(super) fn init(cx: &Context, _request: &InitProducerIdRequest) -> InitProducerIdResponse {
    // Kafka gives a producer without transactions a new id each time; it raises its epoch itself.
    let id = cx.shared.state().producer_id();
    InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0)
}
