;; What the library has Festival do: speak a text into a file, and tell when every word begins and ends.
;; A line a word: "word TOKEN START END", TOKEN being the number of the text's blank-separated piece that it belongs to.

(define (speechprune_times utt)
  (let ((token 0))
    (mapcar
     (lambda (item)
       (if (not (item.parent item))
           (begin
             (mapcar
              (lambda (word)
                (if (item.relation word 'SylStructure)
                    (format t "word %d %s %s\n" token
                            (item.feat word "R:SylStructure.daughter1.daughter1.R:Segment.segment_start")
                            (item.feat word "R:SylStructure.daughtern.daughtern.R:Segment.segment_end"))))
              (item.daughters item))
             (set! token (+ token 1)))))
     (utt.relation.items utt 'Token))))

(define (speechprune_say voice stretch text file)
  (voice)
  (Parameter.set 'Duration_Stretch stretch)
  (let ((utt (utt.synth (eval (list 'Utterance 'Text text)))))
    (speechprune_times utt)
    (utt.save.wave utt file 'riff)))
