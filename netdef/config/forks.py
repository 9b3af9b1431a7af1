"""Layer types and field numbers that belong to forks of Caffe: whose they are, and what such a layer does.

Facts from the caffe.proto files and layer sources of 14 forks. ``dialects.py`` has the fields by name.
"""
from __future__ import annotations

from typing import NamedTuple

from netdef.errors import FieldError, did_you_mean

BVLC = "BVLC Caffe"
NAMES = {
    "bvlc": BVLC, "ssd": "SSD", "faster-rcnn": "py-faster-rcnn", "rfcn": "R-FCN", "segnet": "SegNet", "pspnet": "PSPNet",
    "tsn": "TSN (yjxiong)", "nvcaffe": "NVIDIA Caffe", "flownet2": "FlowNet2", "yolo": "MobileNet-YOLO",
    "windows": "caffe-windows (happynear)", "warpctc": "warpctc", "ctc": "ChWick's fork (CTC)",
    "rtpose": "rtpose", "caffe-face": "caffe-face",
    "cpm": "CPM", "shufflenet": "ShuffleNet",
}
"""What ``--dialect`` takes -> the fork as messages call it; where several forks explain a net alike, the first counts."""


class ForkType(NamedTuple):
    """A layer type that BVLC Caffe does not have: the forks that do (short names), and what it does in one sentence."""

    forks: tuple[str, ...]
    does: str


def _all(forks: str, rows: dict[str, str]) -> dict[str, ForkType]:
    return {name: ForkType(tuple(forks.split()), does) for name, does in rows.items()}


TYPES: dict[str, ForkType] = {
    **_all("ssd nvcaffe yolo", {
        "AnnotatedData": "reads pictures with boxes from an LMDB; top 1 has a row of 8 numbers a box",
        "MultiBoxLoss": "matches priors with true boxes and adds a loss of places to one of classes",
        "Permute": "reorders the axes of a blob",
        "PriorBox": "makes the default boxes of a feature map, and their variances",
        "DetectionOutput": "decodes boxes, drops overlapping ones, gives rows of image, class, score and corners",
        "DetectionEvaluate": "compares detections with true boxes, for the mean average precision",
        "VideoData": "reads frames of a video or a camera"}),
    **_all("faster-rcnn rfcn tsn windows", {"ROIPooling": "takes the maxima of a grid of bins inside each region"}),
    "Normalize": ForkType(("ssd", "nvcaffe", "yolo", "windows"),
                          "divides by the L2 norm, over the channels or all of an item, and scales"),
    "SmoothL1Loss": ForkType(("faster-rcnn", "rfcn", "ssd"), "is quadratic near zero and linear far from it"),
    **_all("rfcn windows", {"PSROIPooling": "averages a grid of bins, each from a channel group of its own"}),
    **_all("rfcn", {"BoxAnnotatorOHEM": "keeps the regions with the largest loss and ignores the rest",
                    "SoftmaxWithLossOHEM": "is SoftmaxWithLoss with the loss of each region",
                    "SmoothL1LossOHEM": "is SmoothL1Loss with the loss of each region"}),
    "Proposal": ForkType(("faster-rcnn", "rfcn", "windows"), "makes regions of anchors, scores and offsets"),
    "BN": ForkType(("segnet", "pspnet", "tsn", "windows"), "normalises each channel and scales it"),
    "Upsample": ForkType(("segnet", "yolo"), "enlarges a blob: by a pooling mask (SegNet), or by repeating values (YOLO)"),
    **_all("segnet", {"DenseImageData": "reads pictures and label pictures named by a list"}),
    **_all("pspnet", {
        "Interp": "resizes with bilinear interpolation, corners aligned",
        "SegAccuracy": "counts right pixels and the overlap of classes", "MatWrite": "writes blobs as .mat files",
        "MatRead": "reads blobs from .mat files", "DenseCRF": "refines scores with a fully connected CRF",
        "DomainTransform": "smooths within edges", "ImageSegData": "reads pictures and label pictures named by a list",
        "AdaptiveBiasChannel": "shifts channels until a share of pixels changes", "BiasChannel": "shifts the label's channels",
        "UniqueLabel": "lists the labels that occur"}),
    **_all("tsn", {
        "BatchReduction": "sums or averages groups of items", "Gather": "collects items of all processes",
        "Scatter": "spreads items over processes", "SyncBN": "is BN over the batches of all processes",
        "SegData": "reads pictures and label pictures"}),
    **_all("nvcaffe", {"DetectNetTransformation": "augments pictures with boxes into a grid of targets"}),
    **_all("flownet2", {
        "Correlation": "compares patches of two feature maps over displacements", "Correlation1D": "compares along rows",
        "FlowWarp": "moves pixels along a flow field", "Resample": "resizes by nearest, linear or cubic interpolation",
        "Downsample": "averages down to a size", "L1Loss": "sums absolute differences", "Mean": "keeps a running mean",
        "LpqLoss": "is a loss of p- and q-norms", "ChannelNorm": "takes the root of the sum of squares over channels",
        "Accum": "averages over windows", "DataAugmentation": "transforms pictures at random",
        "GenerateAugmentationParameters": "draws the transforms", "FlowAugmentation": "transforms flow fields alike",
        "CustomData": "reads slices of records from an LMDB", "FLOWriter": "writes .flo files",
        "ImgWriter": "writes pictures", "FloatWriter": "writes floats"}),
    **_all("yolo", {
        "Reorg": "moves blocks of pixels into channels, in Darknet's order", "ReLU6": "cuts values to 0 to 6",
        "RegionLoss": "is YOLOv2's loss", "YoloDetectionOutput": "decodes YOLOv2's boxes",
        "Yolov3": "is YOLOv3's loss", "Yolov3DetectionOutput": "decodes YOLOv3's boxes and drops overlapping ones",
        "YoloSeg": "is a loss for segmentation", "SegmentationEvaluate": "counts right pixels"}),
    **_all("windows", {
        "Flip": "mirrors rows or columns", "InnerDistance": "gives distances from learned centres",
        "Local": "is a convolution with weights of its own at each place", "Insanity": "is a ReLU with a random slope",
        "GeneralContrastiveLoss": "pulls an item to its class and pushes the others",
        "ChannelScale": "scales all channels of a place by one factor",
        "LabelSpecificAdd": "adds a margin to the score of the right class"}),
    "CenterLoss": ForkType(("caffe-face", "windows"), "pulls features towards a learned centre of their class"),
    "TripletLoss": ForkType(("windows",), "pushes a negative further away than a positive, by a margin"),
    **_all("warpctc", {"CtcLoss": "is the connectionist temporal classification loss", "ContinuationIndicator":
                       "is 0 where a sequence begins and 1 elsewhere", "LabelsequenceAccuracy": "compares sequences"}),
    **_all("ctc", {"CTCLoss": "is the connectionist temporal classification loss, for sequences of unequal lengths",
                   "WarpCTCLoss": "is the connectionist temporal classification loss, by the warp-ctc library",
                   "CTCGreedyDecoder": "reads sequences by the best class of each frame"}),
    **_all("rtpose", {"ImResize": "resizes with cubic interpolation", "Nms": "lists the peaks of maps"}),
    **_all("cpm", {"CPMData": "reads pictures with joints, and makes maps of them"}),
    **_all("shufflenet", {"ShuffleChannel": "interleaves the groups of channels"}),
    "DepthwiseConvolution": ForkType(("yolo",), "is a convolution with a group for each channel"),
    "ConvolutionDepthwise": ForkType((), "is a convolution with a group for each channel"),
    "Axpy": ForkType((), "computes a x + y with a factor a for each channel (SENet)"),
    "MTCNNData": ForkType((), "reads pictures with boxes and landmarks (training of MTCNN)"),
    "MTCNNEuclideanLoss": ForkType((), "is a Euclidean loss over the items that have a target (training of MTCNN)"),
}

# Fork -> "number field ..." of LayerParameter, as far as they are not BVLC's.
_SSD_NUMBERS = ("200 annotated_data_param 201 multibox_loss_param 202 permute_param 203 prior_box_param "
                "204 detection_output_param 205 detection_evaluate_param 206 norm_param 207 video_data_param")
_TEXT = {
    "bvlc": "",
    "ssd": _SSD_NUMBERS,
    "faster-rcnn": "8266711 roi_pooling_param 8266712 smooth_l1_loss_param",
    "rfcn": "8266711 roi_pooling_param 8266712 smooth_l1_loss_param 10000 box_annotator_ohem_param "
            "10001 psroi_pooling_param",
    "segnet": "45 bn_param 137 upsample_param 138 dense_image_data_param",
    "pspnet": "143 interp_param 144 seg_accuracy_param 145 mat_write_param 146 dense_crf_param "
              "147 domain_transform_param 148 adaptive_bias_channel_param 149 bias_channel_param 150 unique_label_param "
              "151 mat_read_param 152 bn_param",
    "tsn": "137 bn_param 140 video_data_param 141 seg_data_param 150 roi_pooling_param 160 scale_param 161 bias_param "
           "162 batch_reduction_param",
    "nvcaffe": _SSD_NUMBERS + " 145 forward_type 146 backward_type 147 forward_math 148 backward_math 149 debug "
               "150 cudnn_math_override 151 recurrent_param 152 trt_param 6801 detectnet_groundtruth_param "
               "6802 detectnet_augmentation_param",
    "flownet2": "148 coeff_schedule_param 149 augmentation_param 150 correlation_param 151 l1_loss_param "
                "152 writer_param 153 reader_param 154 mean_param 155 resample_param 156 downsample_param "
                "157 reshape_every_iter 158 lpq_loss_param 159 flow_warp_param 160 accum_param "
                "161 black_augmentation_param",
    "yolo": _SSD_NUMBERS + " 149 reorg_param 150 upsample_param 211 relu6_param 600 region_loss_param "
            "601 yolo_detection_output_param 602 yolov3_detection_output_param 603 yolov3_param 604 yolo_seg_param "
            "605 segmentation_evaluate_param",
    "windows": "200 bn_param 201 local_param 202 insanity_param 203 triplet_loss_param 204 roi_pooling_param "
               "205 eltwise_affine_param 206 sub_region_param 207 noise_param 211 center_loss_param 212 flip_param "
               "213 inner_distance_param 214 normalize_param 215 general_contrastive_loss_param 219 proposal_param "
               "220 psroi_pooling_param 222 smoothl1_param 224 permute_param 235 focal_loss_param 237 channel_scale_param "
               "241 label_specific_add_param",
    "warpctc": "200 ctc_loss_param 201 continuation_indicator_param 202 permute_param 203 labelsequence_accuracy_param",
    "rtpose": "148 imresize_param 149 nms_param",
    "ctc": "147 reverse_param 148 ctc_loss_param 149 ctc_decoder_param",
    "caffe-face": "147 center_loss_param",
    "cpm": "147 cpm_transform_param",
    "shufflenet": "164 shuffle_channel_param",
}


def numbered(text: str) -> dict[int, str]:
    """``8 resize_param 9 noise_param`` as a table."""
    words = text.split()
    return {int(number): name for number, name in zip(words[::2], words[1::2], strict=True)}


NUMBERS: dict[str, dict[int, str]] = {fork: numbered(text) for fork, text in _TEXT.items()}
"""Short name of a fork -> number of a field of LayerParameter in its binary files -> the field."""


def short(name: str) -> str:
    """The short name of what ``--dialect`` was given; raises FieldError with a did-you-mean."""
    folded = name.lower()
    for key, label in NAMES.items():
        if folded in (key, label.lower()):
            return key
    raise FieldError(f"--dialect: expected one of {', '.join(NAMES)}, got '{name}'", hint=did_you_mean(folded, NAMES))


def about(layer_type: str) -> str:
    """``SSD, NVIDIA Caffe have it: it makes ...`` for a type of a fork; empty for others."""
    found = TYPES.get(layer_type)
    if found is None:
        return ""
    who = ", ".join(NAMES[fork] for fork in found.forks) or "a fork of Caffe"
    return f"it is a type of {who}: it {found.does}"
