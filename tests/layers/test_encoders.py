"""What BiLSTM and TCN promise alike: no sequence knows of padding or of its batch mates."""

import pytest
import torch
from safetensors.torch import load, save

from spacy_bertcrf.layers import TCN, BiLSTM, Residual, bilstm, pad, unpad

LENGTHS = [4, 0, 7, 1]
ENCODERS = {
    "bilstm": lambda: BiLSTM(5, 6),
    "residual bilstm": lambda: Residual(BiLSTM(5, 6), 5),
    "deep bilstm": lambda: BiLSTM(5, 6, depth=2, dropout=0.3),
    "tcn": lambda: TCN(5, 6, depth=3, dropout=0.3),
    "tcn of one width": lambda: TCN(3, 6, depth=2, kernel_size=2),
}


@pytest.fixture(params=ENCODERS)
def encoder(request):
    torch.manual_seed(0)
    return ENCODERS[request.param]().eval()


def width_of(encoder):
    return 3 if isinstance(encoder, TCN) and encoder.forward_half[0].reach == 1 else 5


def test_padding_and_batch_mates_change_nothing(encoder):
    """A document's entities would depend on what else is in the batch."""
    tokens = torch.randn(sum(LENGTHS), width_of(encoder))
    padded, mask = pad(tokens, torch.tensor(LENGTHS))
    # Whatever stands in padding, it must not be read.
    together = encoder(torch.where(mask[..., None], padded, 1e3), mask)
    assert together.shape == (4, 7, encoder.output_width)
    assert not together[~mask].any()
    for own, hidden, length in zip(tokens.split(LENGTHS), together, LENGTHS, strict=True):
        if length:
            alone = encoder(own[None], torch.ones(1, length).bool())[0]
            torch.testing.assert_close(hidden[:length], alone, atol=1e-5, rtol=1e-5)


def test_batches_without_a_token_are_legal(encoder):
    """spaCy sends empty documents through every component."""
    for shape in [(0, 0), (2, 0), (2, 3)]:
        padded = torch.zeros(*shape, width_of(encoder))
        hidden = encoder(padded, torch.zeros(shape).bool())
        assert hidden.shape == (*shape, encoder.output_width)
        assert not hidden.any()


def test_weights_survive_safetensors(encoder):
    """A trained model would not load again."""
    inputs = torch.randn(2, 4, width_of(encoder))
    mask = torch.ones(2, 4).bool()
    expected = encoder(inputs, mask)
    weights = load(save(encoder.state_dict()))
    for parameter in encoder.parameters():
        torch.nn.init.zeros_(parameter)
    assert not torch.equal(encoder(inputs, mask), expected)
    encoder.load_state_dict(weights)
    assert torch.equal(encoder(inputs, mask), expected)


def test_token_vectors_go_past_a_residual_encoder_as_they_are():
    """An LSTM that has learned nothing yet would stand between BERT and the tags."""
    tokens = torch.randn(5, 5)
    padded, mask = pad(tokens, torch.tensor([3, 2]))
    bilstm = BiLSTM(5, 6).eval()
    hidden = Residual(bilstm, 5)(padded, mask)
    assert torch.equal(hidden[..., :6], bilstm(padded, mask))
    assert torch.equal(hidden[mask][:, 6:], tokens)


@pytest.mark.parametrize("make", [BiLSTM, lambda *widths: TCN(*widths, depth=1)])
def test_odd_widths_are_refused(make):
    with pytest.raises(ValueError, match="must be even, got 7"):
        make(4, 7)


@pytest.mark.parametrize("depth", [1, 2])
def test_bilstm_drops_out_in_training_only(depth):
    """torch ignores the dropout of an LSTM with one layer: a config's dropout would do nothing."""
    torch.manual_seed(0)
    encoder = BiLSTM(5, 6, depth=depth, dropout=0.5)
    inputs, mask = torch.randn(2, 4, 5), torch.ones(2, 4).bool()
    assert not torch.equal(encoder(inputs, mask), encoder(inputs, mask))
    encoder.eval()
    assert torch.equal(encoder(inputs, mask), encoder(inputs, mask))


@pytest.mark.parametrize("lengths", [[4, 7, 6], [4, 0, 7, 1], [5], [3, 3]])
@pytest.mark.parametrize("depth", [1, 2])
def test_a_bilstm_reads_the_same_packed_and_padded(depth, lengths, monkeypatch):
    """What is learned and found would depend on how ragged a batch is, and on the device."""
    torch.manual_seed(0)
    encoder = BiLSTM(5, 6, depth=depth)
    tokens = torch.randn(sum(lengths), 5)
    weights = torch.randn(len(lengths), max(lengths), 6)
    found = []
    for max_padding in (0.0, float("inf")):
        monkeypatch.setattr(bilstm, "MAX_PADDING", max_padding)
        data = tokens.clone().requires_grad_()
        padded, mask = pad(data, torch.tensor(lengths))
        hidden = encoder(padded, mask)
        encoder.zero_grad()
        (hidden * weights).sum().backward()
        found.append([hidden, data.grad, *(p.grad.clone() for p in encoder.parameters())])
    for packed, read in zip(*found, strict=True):
        torch.testing.assert_close(read, packed, atol=1e-5, rtol=1e-5)


def test_a_new_bilstm_remembers():
    """With torch's own initial weights it learns less from few texts."""
    torch.manual_seed(0)
    weights = BiLSTM(5, 6, depth=2).lstm.state_dict()
    assert len(weights) == 4 * 4
    for name, tensor in weights.items():
        forget = tensor.split(3)[1]
        if "weight_hh" in name:
            torch.testing.assert_close(forget @ forget.T, torch.eye(3))
        elif "bias_ih" in name:
            both = forget + weights[name.replace("_ih_", "_hh_")].split(3)[1]
            assert both.tolist() == [1.0, 1.0, 1.0]


def test_a_bilstm_does_not_learn_from_padding():
    """One nan behind a text, and the training would be lost."""
    torch.manual_seed(0)
    encoder = BiLSTM(5, 6)
    padded, mask = pad(torch.randn(11, 5), torch.tensor([5, 6]))
    padded = torch.where(mask[..., None], padded, torch.nan).requires_grad_()
    encoder(padded, mask).sum().backward()
    gradients = [padded.grad, *(parameter.grad for parameter in encoder.parameters())]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert not padded.grad[~mask].any()


@pytest.mark.parametrize(("half", "sees"), [(0, "past"), (1, "future")])
def test_each_half_of_the_tcn_sees_its_own_side_only(half, sees):
    """The script this model is known from flips the feature axis where it means time: its
    backward half never saw the right context."""
    torch.manual_seed(0)
    encoder = TCN(5, 64, depth=3).eval()
    lengths = torch.tensor([9, 6])
    inputs, mask = pad(torch.randn(15, 5), lengths)
    inputs.requires_grad_()
    hidden = encoder(inputs, mask)[..., 32 * half : 32 * half + 32]
    for sequence, length in enumerate(lengths.tolist()):
        for position in range(length):
            (reached,) = torch.autograd.grad(
                hidden[sequence, position].sum(), inputs, retain_graph=True
            )
            touched = reached.abs().sum(2)
            assert touched[sequence, position] > 0
            assert not touched[1 - sequence].any()
            assert not touched[sequence, length:].any()
            past, future = touched[sequence, :position], touched[sequence, position + 1 : length]
            unseen, seen = (future, past) if sees == "past" else (past, future)
            assert not unseen.any()
            # Three blocks of two convolutions of three tokens reach far beyond nine tokens.
            assert (seen > 0).all()


def test_both_halves_of_the_tcn_are_mirror_images():
    """Given the same weights, the backward half does to a reversed text what the forward half
    does to the text, whatever the padding."""
    torch.manual_seed(0)
    encoder = TCN(5, 8, depth=2).eval()
    encoder.backward_half.load_state_dict(encoder.forward_half.state_dict())
    text = torch.randn(6, 5)
    inputs, mask = pad(torch.cat([text, torch.randn(9, 5)]), torch.tensor([6, 9]))
    mirrored, _ = pad(torch.cat([text.flip(0), torch.randn(9, 5)]), torch.tensor([6, 9]))
    ahead = encoder(inputs, mask)[0, :6, :4]
    back = encoder(mirrored, mask)[0, :6, 4:]
    torch.testing.assert_close(back.flip(0), ahead)


@pytest.mark.parametrize("max_padding", [0.0, 2.0])
@pytest.mark.parametrize(
    "make",
    [
        lambda: BiLSTM(5, 6),
        lambda: BiLSTM(5, 6, depth=2),
        lambda: Residual(BiLSTM(5, 6), 5),
    ],
)
def test_a_bilstm_reads_the_same_without_padding(make, max_padding, monkeypatch):
    """GPUs read sequences without padding, and so does prediction: what was learned would be
    read as something else."""
    monkeypatch.setattr(bilstm, "MAX_PADDING", max_padding)
    torch.manual_seed(0)
    encoder = make()
    lengths = torch.tensor([3, 0, 7, 1, 7])
    vectors = torch.randn(18, 5, requires_grad=True)
    weights = torch.randn(18, encoder.output_width)
    found = []
    for read in (encoder.read_packed, lambda v, n: unpad(encoder(*pad(v, n)), n)):
        vectors.grad = None
        encoder.zero_grad()
        output = read(vectors, lengths)
        (output * weights).sum().backward()
        found.append([output, vectors.grad, *(p.grad for p in encoder.parameters())])
    for packed, padded in zip(*found, strict=True):
        torch.testing.assert_close(packed, padded, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="one row for each token"):
        encoder.read_packed(vectors, lengths[1:])
