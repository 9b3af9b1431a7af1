"""Fields that belong to forks of Caffe: whose they are, for messages; and their numbers, for binary nets.

Facts from the caffe.proto files of 14 forks. Names only: what such a field holds is known where a layer of ours has it.
A field that the schema knows never gets here.
"""
from __future__ import annotations

from netdef.config import forks

_SSD = "SSD"
_RCNN = "py-faster-rcnn"
_RFCN = "R-FCN"
_SEGNET = "SegNet"
_PSPNET = "PSPNet"
_TSN = "TSN (yjxiong)"
_NVCAFFE = "NVIDIA Caffe"
_FLOWNET = "FlowNet2"
_YOLO = "MobileNet-YOLO"
_WINDOWS = "caffe-windows (happynear)"
_CTC = "warpctc"
_CHWICK = "ChWick's fork (CTC)"
_RTPOSE = "rtpose"

_LAYER = {
    _SSD: "annotated_data_param multibox_loss_param permute_param prior_box_param detection_output_param "
          "detection_evaluate_param norm_param video_data_param",
    _RCNN: "roi_pooling_param smooth_l1_loss_param",
    _RFCN: "box_annotator_ohem_param psroi_pooling_param roi_pooling_param smooth_l1_loss_param",
    _SEGNET: "bn_param upsample_param dense_image_data_param",
    _PSPNET: "interp_param bn_param seg_accuracy_param mat_write_param mat_read_param dense_crf_param "
             "domain_transform_param adaptive_bias_channel_param bias_channel_param unique_label_param",
    _TSN: "bn_param video_data_param seg_data_param roi_pooling_param batch_reduction_param",
    _NVCAFFE: "forward_type backward_type forward_math backward_math debug cudnn_math_override trt_param "
              "detectnet_groundtruth_param detectnet_augmentation_param annotated_data_param multibox_loss_param "
              "prior_box_param detection_output_param detection_evaluate_param",
    _FLOWNET: "augmentation_param correlation_param l1_loss_param writer_param reader_param mean_param resample_param "
              "downsample_param reshape_every_iter lpq_loss_param flow_warp_param accum_param "
              "black_augmentation_param coeff_schedule_param",
    _YOLO: "reorg_param upsample_param relu6_param region_loss_param yolo_detection_output_param "
           "yolov3_detection_output_param yolov3_param yolo_seg_param segmentation_evaluate_param",
    _WINDOWS: "bn_param local_param insanity_param triplet_loss_param roi_pooling_param eltwise_affine_param "
              "sub_region_param noise_param hotspot_param predict_box_param fcn_data_param center_loss_param "
              "flip_param inner_distance_param normalize_param general_contrastive_loss_param "
              "soft_contrastive_loss_param general_triplet_loss_param soft_truncation_param proposal_param "
              "psroi_pooling_param pairwise_param smoothl1_param batch_contrastive_loss_param truncation_param "
              "nca_param largemargin_inner_product_param label_specific_rescale_param infimum_loss_param "
              "ordinal_regression_loss_param resize_param margin_inner_product_param feature_decay_loss_param "
              "confidence_penalty_loss_param focal_loss_param label_specific_margin_param channel_scale_param "
              "label_specific_affine_param label_specific_hard_margin_param label_specific_add_param",
    _CTC: "ctc_loss_param continuation_indicator_param labelsequence_accuracy_param",
    _CHWICK: "ctc_loss_param ctc_decoder_param reverse_param",
    _RTPOSE: "imresize_param nms_param",
    "caffe-face": "center_loss_param",
    "CPM": "cpm_transform_param",
    "ShuffleNet": "shuffle_channel_param",
}
_ELSEWHERE: dict[str, dict[str, str]] = {
    "TransformationParameter": {_SSD: "resize_param noise_param emit_constraint crop_h crop_w distort_param "
                                      "expand_param"},
    "LossParameter": {_SEGNET: "weight_by_label_freqs class_weighting", _NVCAFFE: "label_smoothing",
                      _RFCN: "pre_fixed_normalizer"},
    "DropoutParameter": {_RCNN: "scale_train", _SEGNET: "sample_weights_test"},
    "SoftmaxParameter": {_WINDOWS: "normalize_type"},
    "SolverParameter": {_SSD: "eval_type ap_version plateau_winsize show_per_class_result", _SEGNET: "stepearly",
                        _NVCAFFE: "rampup_interval rampup_lr min_lr local_lr"},
    "BatchNormParameter": {_NVCAFFE: "scale_bias scale_filler bias_filler"},
    "ELUParameter": {_NVCAFFE: "lambda"},
    "NetParameter": {"a label map of SSD, which is no net": "item", _NVCAFFE: "default_forward_type "
                     "default_backward_type default_forward_math default_backward_math global_grad_scale quantize"},
    "BlobProto": {_NVCAFFE: "raw_data_type raw_diff_type raw_data raw_diff"},
}

# Type of layer -> number in binary files -> field. Only these are read under the name of their own field of ours; their
# messages must have the fork's numbers inside.
_NUMBERS: dict[str, dict[int, str]] = {
    "AnnotatedData": {200: "annotated_data_param"},
    "MultiBoxLoss": {201: "multibox_loss_param"},
    "Permute": {202: "permute_param", 224: "permute_param"},
    "PriorBox": {203: "prior_box_param"},
    "DetectionOutput": {204: "detection_output_param"},
    "DetectionEvaluate": {205: "detection_evaluate_param"},
    "Normalize": {206: "norm_param", 214: "normalize_param"},
    "ROIPooling": {8266711: "roi_pooling_param", 204: "roi_pooling_param", 150: "roi_pooling_param"},
    "SmoothL1Loss": {8266712: "smooth_l1_loss_param"},
    "PSROIPooling": {10001: "psroi_pooling_param", 220: "psroi_pooling_param"},
    "BoxAnnotatorOHEM": {10000: "box_annotator_ohem_param"},
    "BN": {45: "bn_param", 137: "bn_param", 152: "bn_param", 200: "bn_param"},
    "Upsample": {137: "upsample_param", 149: "upsample_param", 150: "upsample_param"},
    "DenseImageData": {138: "dense_image_data_param"},
    "Interp": {143: "interp_param"},
    "Reorg": {149: "reorg_param"},
    "ReLU6": {211: "relu6_param"},
    "ShuffleChannel": {164: "shuffle_channel_param"},
    "CenterLoss": {147: "center_loss_param", 211: "center_loss_param"},
    "TripletLoss": {203: "triplet_loss_param"},
    "Correlation": {150: "correlation_param"},
    "FlowWarp": {159: "flow_warp_param"},
    "Resample": {155: "resample_param"},
    "Flip": {212: "flip_param"},
    "InnerDistance": {213: "inner_distance_param"},
    "ChannelScale": {237: "channel_scale_param"},
    "LabelSpecificAdd": {241: "label_specific_add_param"},
    "FocalLoss": {235: "focal_loss_param"},
    "CtcLoss": {200: "ctc_loss_param"},
    "CTCLoss": {148: "ctc_loss_param"},
    "WarpCTCLoss": {148: "ctc_loss_param"},
    "ContinuationIndicator": {201: "continuation_indicator_param"},
    "RegionLoss": {600: "region_loss_param"},
    "YoloDetectionOutput": {601: "yolo_detection_output_param"},
    "Yolov3DetectionOutput": {602: "yolov3_detection_output_param"},
    "Yolov3": {603: "yolov3_param"},
    "ImResize": {148: "imresize_param"},
    "Nms": {149: "nms_param"},
}


def owners(message_name: str, field: str) -> str:
    """The forks that have this field in this message, as text ("SegNet, PSPNet"); empty where none is known."""
    table = _LAYER if message_name in ("LayerParameter", "V1LayerParameter") else _ELSEWHERE.get(message_name, {})
    return ", ".join(fork for fork, names in table.items() if field in names.split())


def hint(message_name: str, field: str) -> str:
    """A sentence for an error about an unknown field; empty where no fork is known to have it."""
    found = owners(message_name, field)
    return f"it belongs to {found}, not to netdef" if found else ""


def field_of(layer_type: str, number: int, fork: str | None = None) -> str | None:
    """The name of the field that a fork keeps under a number in layers of a type; None for BVLC's and unknown ones.

    ``fork`` is a short name of ``forks.NAMES``, where one is given: then its numbers count, whatever the type.
    """
    if fork is not None:
        return forks.NUMBERS[fork].get(number)
    return _NUMBERS.get(layer_type, {}).get(number)
